"""The child process that chooses rows: `python -m strongsuit.proposals FOLDER`; see `strongsuit.campaign.child`."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from strongsuit.campaign.chain import canonical
from strongsuit.campaign.child import ANSWER, REQUEST, answer_of
from strongsuit.campaign.view import View
from strongsuit.errors import StrongsuitError

BEAT_SECONDS = 1.0
POOL = "pool.parquet"  # what is handed out where the pool is no file


@dataclass
class Voice:
    """Says how far the work is and what memory it uses, again every second, on the output that was there at first."""

    stream: Any
    stage: str = "starting"
    share: float = 0.0
    done: threading.Event = field(default_factory=threading.Event)

    def __call__(self, stage: str, share: float) -> None:
        self.stage, self.share = stage, share
        self.say()

    def say(self) -> None:
        """One line."""
        line = json.dumps({"stage": self.stage, "share": self.share, "mb": round(memory_mb(), 1)})
        self.stream.write(line + "\n")
        self.stream.flush()

    def beat(self) -> None:
        """A line a second until the work is done."""
        while not self.done.wait(BEAT_SECONDS):
            try:
                self.say()
            except (OSError, ValueError):
                return


def memory_mb() -> float:
    """The most memory that this process has used; 0 where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return 0.0
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / 2**20 if sys.platform == "darwin" else most / 2**10


def main(folder: Path) -> int:
    """The exit code: 0 with an answer in the folder, an error of ours among them."""
    voice = Voice(os.fdopen(os.dup(1), "w", encoding="utf-8"))
    os.dup2(2, 1)  # whatever libraries print goes to the last words
    threading.Thread(target=_die_with_parent, daemon=True).start()
    threading.Thread(target=voice.beat, daemon=True).start()
    request = json.loads((folder / REQUEST).read_text(encoding="utf-8"))
    try:
        answer = answered(request, folder, voice)
    except StrongsuitError as error:
        answer = {"error": {"kind": type(error).__name__, "message": str(error)}}
    finally:
        voice.done.set()
    draft = folder / f".{ANSWER}"
    draft.write_text(canonical(answer), encoding="utf-8")
    draft.replace(folder / ANSWER)
    return 0


def answered(request: Mapping[str, Any], folder: Path, voice: Voice) -> dict[str, Any]:
    """The answer to a request: nothing for a check that passed, or a proposal."""
    from strongsuit import recipes
    from strongsuit.core.compile import use_compile_cache, use_one_thread
    from strongsuit.executors import few_threads
    from strongsuit.proposals.propose import ActiveProposer

    use_one_thread()  # the same sums in the same order, whatever the machine has to spare
    use_compile_cache()
    settings = request["check"] if "check" in request else request["view"]["settings"]
    handed = folder / POOL
    pool = recipes.campaign_pool(settings, handed if handed.exists() else request.get("source"))
    proposer = ActiveProposer(pool, voice)
    with few_threads(len(pool)):
        if "check" in request:
            proposer.check(settings)
            return {}
        return answer_of(proposer.propose(View(**request["view"]), request["b"], request["round"]))


def _die_with_parent() -> None:
    """Ends the process once its input is closed: nobody waits for the answer any more."""
    while os.read(0, 1):
        pass
    os._exit(3)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
