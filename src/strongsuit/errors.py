"""Every exception Strongsuit raises on purpose.

StrongsuitError                 anything that is Strongsuit's to say
├── InputError (ValueError)     rejected input: the message names what came and what to do; exit code 3
│   ├── NoFiniteScores          a strategy found nothing finite to choose by; never answered by a random choice
│   ├── UnknownCampaign         no campaign of that name in the store
│   ├── CampaignExists          the name is taken, or taken with other settings
│   ├── UnknownRow              a key or row number that the pool does not have
│   ├── InvalidLabel            a label that the target does not allow
│   ├── AlreadyTold             this annotator gave this row another label: revise it
│   ├── RequestMismatch         a request id came again with something else
│   └── PoolMismatch            another pool than the campaign's; exit code 5
├── NothingToAsk                no row can be handed out; exit code 4
│   ├── PoolExhausted           every row is labelled, pending or unavailable
│   ├── BudgetSpent             no row that is left fits into the budget
│   └── CampaignClosed          the campaign is closed
├── StoreError                  a file or store could not be read or written; exit code 6
│   ├── Conflict                somebody appended first: read and decide again
│   ├── StoreBusy               the store did not let us write for too long
│   ├── StoreFull               the disk took no more; the journal is as before
│   ├── StoreOld                an older release wrote the store: upgrade it
│   ├── StoreNew                a newer release wrote the store or the journal
│   └── JournalBroken           a journal is cut, edited or not one
├── ProposalFailed              the process that chooses rows died; the journal is as before
├── OracleFailed                raised by a program that labels: it has no label for this row
├── ServiceError                another server refused or did not answer; exit code 6
└── MissingDependency (ImportError)   an optional package is needed; names the extra to install
"""

from __future__ import annotations


class StrongsuitError(Exception):
    """Base of all deliberate errors."""


class InputError(StrongsuitError, ValueError):
    """Input that cannot be used as it is; the message says what to change."""


class NoFiniteScores(InputError):
    """Every available row has a score or an embedding that is not finite, so no row can be chosen."""


class UnknownCampaign(InputError):
    """No campaign of that name is in the store."""


class CampaignExists(InputError):
    """A campaign of that name is in the store already."""


class UnknownRow(InputError):
    """A key or row number that the pool does not have."""


class InvalidLabel(InputError):
    """A label that the target does not allow."""


class AlreadyTold(InputError):
    """The same annotator told another label of the same row before; `revise` replaces it."""


class RequestMismatch(InputError):
    """A request id that is known came with something else than the first time."""


class PoolMismatch(InputError):
    """The pool is not the one that the campaign was made with."""


class NothingToAsk(StrongsuitError):
    """No row can be handed out."""


class PoolExhausted(NothingToAsk):
    """Every row is labelled, pending or unavailable."""


class BudgetSpent(NothingToAsk):
    """No row that is left fits into the budget."""


class CampaignClosed(NothingToAsk):
    """The campaign is closed: answers are taken, rows are no longer handed out."""


class StoreError(StrongsuitError):
    """A file or store could not be read or written."""


class Conflict(StoreError):
    """Somebody else appended first; read and decide again."""


class StoreBusy(StoreError):
    """Others kept the store from us for too long; nothing was written."""


class StoreFull(StoreError):
    """The disk took no more; the journal is as it was before."""


class StoreOld(StoreError):
    """The store has the tables of an older release and must be upgraded."""


class StoreNew(StoreError):
    """The store or journal was written by a newer release."""


class JournalBroken(StoreError):
    """A journal that is cut, edited, or not one."""


class ProposalFailed(StrongsuitError):
    """The process that chooses rows died or was stopped; nothing was written."""


class OracleFailed(StrongsuitError):
    """A label could not be had: raised by a Python oracle, `final` if it is no use to try again."""

    def __init__(self, message: str = "", *, final: bool = False) -> None:
        super().__init__(message)
        self.final = final


class ServiceError(StrongsuitError):
    """Another server refused (with its `status`) or did not answer (0); what was written before is kept."""

    def __init__(self, message: str = "", *, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class MissingDependency(StrongsuitError, ImportError):
    """An optional package is not installed."""
