"""One epoch of a competition among equal networks against the loop that gathers every model's rows.

    python benchmarks/contest.py [--repeats 5] [--json FILE]

Both sides: all networks predict all rows, the best one owns the row and trains on it with Adam, float32, one thread:
in shuffled mini-batches of 64 of its rows (what paper mode does), or in one full-batch step. The gather loop is
PyTorch, its tensors ready-made; ours is `strongsuit.core.contest`, with all its conversions, compilation apart.
"""

from __future__ import annotations

import argparse

import numpy as np
import rival  # before PyTorch: it sets the threads
import torch

from strongsuit.core import root_key
from strongsuit.core.compile import trace_counts
from strongsuit.core.contest import Calm, contest
from strongsuit.core.learner import start_one
from strongsuit.learners import MLP

CASES = [
    ((16, 16), 4, 1_000),
    ((64, 64), 4, 1_000),
    ((32, 32), 10, 1_000),
    ((16, 16), 8, 10_000),
    ((64, 64), 10, 10_000),
    ((32, 32), 10, 100_000),
    ((64, 64), 10, 100_000),
]
RATE, EPOCHS = 5e-3, 25  # an interval of paper mode


def bar(rows: int) -> float:
    """The gain that is wanted over the loop."""
    return 4.0 if rows < 10_000 else 2.0


def law(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of a law with two regimes in eight inputs."""
    X = np.random.default_rng(0).normal(size=(n, rival.FEATURES))
    return X, np.where(X[:, 0] > 0, np.sin(2 * X[:, 1]), X[:, 2] * X[:, 3])[:, None]


def ours(widths: tuple[int, ...], m: int, batch: int | str, X: np.ndarray, y: np.ndarray):
    """A function that runs EPOCHS epochs of our contest."""
    learner = MLP(widths=widths, learning_rate=RATE, batch=batch, weight_decay=0.0)
    w, nobody = np.ones(len(X)), np.full(len(X), -1)
    models = [start_one(learner, root_key(k), X, y, w) for k in range(m)]

    def run():
        return contest(
            root_key(0), learner, models, X, y, w, omega=np.ones(1), owner=nobody, epochs=EPOCHS, calm=Calm(-1.0, 1)
        )

    return run


def loop(widths: tuple[int, ...], m: int, batch: int | str, X: np.ndarray, y: np.ndarray):
    """A function that runs EPOCHS epochs of the gather loop in PyTorch."""
    X, y = (torch.tensor(array, dtype=torch.float32) for array in (X, y))

    def run():
        nets = [rival.network(widths, "tanh") for _ in range(m)]
        optimisers = [torch.optim.Adam(net.parameters(), RATE) for net in nets]
        for _ in range(EPOCHS):
            with torch.no_grad():
                owner = torch.stack([((net(X) - y) ** 2).mean(1) for net in nets], 1).argmin(1)
            for k, (net, optimiser) in enumerate(zip(nets, optimisers, strict=True)):
                own = torch.nonzero(owner == k)[:, 0]
                own = own[torch.randperm(len(own))]
                for rows in own.split(len(own) or 1 if batch == "full" else batch):
                    optimiser.zero_grad()
                    ((net(X[rows]) - y[rows]) ** 2).mean().backward()
                    optimiser.step()
        return owner

    return run


def main() -> None:
    """Prints the table and the bars it keeps."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json")
    options = parser.parse_args()
    rows = []
    for batch in (64, "full"):
        for widths, m, n in CASES:
            X, y = law(n)
            sides = [make(widths, m, batch, X, y) for make in (ours, loop)]
            mine, theirs = (1e3 * t / EPOCHS for t in rival.least(sides, repeats=options.repeats if n < 1e5 else 2))
            rows.append(
                {
                    "net": "x".join(map(str, widths)), "models": m, "rows": n, "batch": str(batch),
                    "PyTorch loop ms": theirs, "ours ms": mine, "ratio": theirs / mine, "bar": bar(n),
                }
            )  # fmt: skip
    rival.show("One epoch of the competition, CPU ms", rows)
    missed = [
        f"{r['net']} {r['models']} {r['rows']} {r['batch']}: {r['ratio']:.2f}" for r in rows if r["ratio"] < r["bar"]
    ]
    result = {"machine": rival.machine(), "rows": rows, "bars missed": missed, "traces": trace_counts()["contest"]}
    print(f"\nmachine: {result['machine']}\nbars missed: {missed}")
    rival.report(result, options.json)


if __name__ == "__main__":
    main()
