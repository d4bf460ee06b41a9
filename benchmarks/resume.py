"""A whole run of active learning, 51 fits of ten networks from 80 to 2,080 rows: resumed, cold, and in PyTorch.

    python benchmarks/resume.py [--nets 2x64,3x128,4x200] [--members 10] [--json FILE]

The rival is the plain PyTorch loop that trains every network anew for 500 full-batch epochs at each of the 51 row
counts. Its time is summed from timings of a few epochs at 80, 600, 1,320 and 2,080 rows, linear between them. Our own
run is whole: the library's committee, resumed from row count to row count and trained anew whenever rows have
doubled. Error is that of the committee's mean on new rows over the variance of y, at 280, 1,000 and 2,080 rows, the
rival trained to the end there by three of its networks. The like-for-like figure, equal steps on equal rows, is that
of `trainer.py`.
"""

from __future__ import annotations

import argparse

import numpy as np
import rival  # before PyTorch: it sets the threads
import torch
import trainer

from strongsuit import recipes
from strongsuit.active.committee import Committee, answer, train
from strongsuit.active.pool import pool_of
from strongsuit.core.compile import use_compile_cache
from strongsuit.core.keys import key_for, root_key
from strongsuit.learners import MLP

COUNTS = tuple(range(80, 2081, 40))
TIMED = (80, 600, 1320, 2080)  # of the rival; its time grows linearly with the rows between them
SHOWN = (280, 1000, 2080)  # where errors are looked at: resumed several times by then
EPOCHS = 500
FEW = 3  # networks of the rival that are trained to the end


def steps_2d(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Rows of a discontinuous function of two inputs, the others idle: a checkerboard on a slope."""
    X = np.random.default_rng(seed).uniform(-1, 1, (n, rival.FEATURES))
    return X, (np.floor(2 * X[:, 0]) % 2 + np.floor(2 * X[:, 1]) % 2 + 0.5 * X[:, 0])[:, None]


LAWS = {"smooth": trainer.law, "checkerboard": steps_2d}


def learner_of(widths: tuple[int, ...]) -> MLP:
    """The library's committee learner with other widths."""
    from dataclasses import replace

    return replace(recipes.active_network(), widths=widths)


def our_run(widths: tuple[int, ...], law: str, members: int, *, warm: bool, counts=COUNTS) -> tuple[float, dict]:
    """CPU seconds of a whole run, and the error at the row counts shown."""
    X, y = LAWS[law](COUNTS[-1])
    new, wanted = LAWS[law](4000, seed=1)
    errors: dict[int, float] = {}
    last: list[Committee | None] = [None]

    def run() -> None:
        for n in counts:
            start = last[0] if warm else None
            last[0] = train(key_for(root_key(0), n), learner_of(widths), pool_of(X[:n], y=y[:n]), members, start=start)
            if n in SHOWN:
                errors[n] = float(np.mean((answer(last[0], new) - wanted) ** 2) / wanted.var())

    return rival.cpu_seconds(run), errors


def rival_seconds(widths: tuple[int, ...], members: int) -> float:
    """CPU seconds of the rival's whole run, extrapolated from a few epochs at TIMED row counts."""
    seconds = []
    for n in TIMED:
        once = trainer.loop(widths, "tanh", *trainer.law(n), None)
        once(1)
        epochs = max(2, round(trainer.SECONDS / max(rival.cpu_seconds(lambda once=once: once(1)), 1e-4)))
        seconds.append(min(rival.least([lambda once=once, e=epochs: once(e)], repeats=2)) / epochs * EPOCHS)
    return float(np.interp(COUNTS, TIMED, seconds).sum() * members / trainer.MEMBERS)


def rival_errors(widths: tuple[int, ...], law: str) -> dict[int, float]:
    """The rival's error at the row counts shown: FEW networks, trained to the end at a falling rate."""
    new, wanted = LAWS[law](4000, seed=1)
    found = {}
    for n in SHOWN:
        X, y = LAWS[law](n)
        torch.manual_seed(0)
        nets = trainer.loop(widths, "tanh", X, y, None, falling=EPOCHS, members=FEW)(EPOCHS)
        with torch.no_grad():
            said = np.mean([net(torch.tensor(new, dtype=torch.float32)).numpy() for net in nets], axis=0)
        found[n] = float(np.mean((said - wanted) ** 2) / wanted.var())
    return found


def row(name: str, law: str, members: int) -> dict:
    """One row of the table."""
    widths = trainer.NETS[name]
    our_run(widths, law, members, warm=True, counts=COUNTS[:2])  # compiles
    warm, ours = our_run(widths, law, members, warm=True)
    cold, anew = our_run(widths, law, members, warm=False)
    theirs = rival_seconds(widths, members)
    their_errors = rival_errors(widths, law)
    shown = {f"error {n}": f"{ours[n]:.3f} / {anew[n]:.3f} / {their_errors[n]:.3f}" for n in SHOWN}
    return {
        "net": name, "law": law, "ours resumed s": warm, "ours cold s": cold, "PyTorch cold s": theirs,
        "PyTorch / resumed": theirs / warm, **shown,
    }  # fmt: skip


def main() -> None:
    """Prints the table; errors are ours resumed / ours cold / PyTorch cold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nets", default="2x64,3x128,4x200")
    parser.add_argument("--laws", default=",".join(LAWS))
    parser.add_argument("--members", type=int, default=10)
    parser.add_argument("--json", help="file for the result")
    given = parser.parse_args()
    use_compile_cache()
    rows = [row(name, law, given.members) for name in given.nets.split(",") for law in given.laws.split(",")]
    rival.show("Whole runs; errors: resumed / cold / PyTorch", rows)
    rival.report({"rows": rows, "machine": rival.machine()}, given.json)


if __name__ == "__main__":
    main()
