"""Every exception Strongsuit raises on purpose.

StrongsuitError                 anything that is Strongsuit's to say
├── InputError (ValueError)     rejected input: the message names what came and what to do; exit code 3
│   └── NoFiniteScores          a strategy found nothing finite to choose by; never answered by a random choice
├── StoreError                  a file or store could not be read or written; exit code 6
└── MissingDependency (ImportError)   an optional package is needed; names the extra to install
"""

from __future__ import annotations


class StrongsuitError(Exception):
    """Base of all deliberate errors."""


class InputError(StrongsuitError, ValueError):
    """Input that cannot be used as it is; the message says what to change."""


class NoFiniteScores(InputError):
    """Every available row has a score or an embedding that is not finite, so no row can be chosen."""


class StoreError(StrongsuitError):
    """A file or store could not be read or written."""


class MissingDependency(StrongsuitError, ImportError):
    """An optional package is not installed."""
