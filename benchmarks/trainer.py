"""Training a committee of ten networks: `fit_many` against a plain PyTorch loop, like for like.

    python benchmarks/trainer.py [--activation tanh,relu] [--repeats 4] [--json FILE]

Same architecture, same rows, Adam, the same number of steps, float32, one thread. Full batch: one epoch of the whole
committee at 80, 512 and 2,080 rows. Mini-batch: one step of 32 rows of the whole committee. The time of our fit
holds all it does (gathering, scaling, initial weights), compilation apart; the PyTorch loop gets tensors ready-made.
"""

from __future__ import annotations

import argparse

import numpy as np
import rival  # before PyTorch: it sets the threads
import torch

from strongsuit.core import fit_many, predict_many, root_key
from strongsuit.core.compile import compile_seconds, load_jax, trace_counts
from strongsuit.core.learner import member_keys
from strongsuit.learners import MLP

NETS = {"4x200": (200,) * 4, "3x128": (128,) * 3, "2x64": (64,) * 2}
BARS_FULL = {"4x200": 1.6, "3x128": 2.0, "2x64": 3.0}
BARS_MINI = {"4x200": 2.5, "3x128": 4.0, "2x64": 15.0}
BAR_GFLOPS = 60.0  # from 512 rows and width 128 on
ROWS = (80, 512, 2080)
MEMBERS, BATCH, RATE = 10, 32, 1e-3
SECONDS = 0.4  # about what one timed call of the PyTorch loop takes


def weights_of(widths: tuple[int, ...]) -> int:
    """Weights of a network, biases apart: six operations a row each, forward and backward."""
    return sum(a * b for a, b in zip((rival.FEATURES, *widths), (*widths, 1), strict=True))


def law(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Rows of a smooth function of eight inputs."""
    X = np.random.default_rng(seed).normal(size=(n, rival.FEATURES))
    return X, (np.sin(2 * X[:, 0]) + X[:, 1] * X[:, 2] + 0.5 * X[:, 3])[:, None]


def ours(widths, activation: str, batch, epochs: int) -> MLP:
    """A network that takes so many epochs, nothing chosen and nothing held out."""
    # PyTorch draws its weights uniformly within 1 / sqrt(inputs): a third of the variance.
    plain = {"initial_scale": 3**-0.5, "choose_decay": False, "weight_decay": 0.0, "least_steps": 1, "most_steps": 1e9}
    return MLP(widths=widths, activation=activation, batch=batch, epochs=epochs, learning_rate=RATE, **plain)


def fit(learner: MLP, X: np.ndarray, y: np.ndarray):
    """Parameters of the committee."""
    found = fit_many(learner, member_keys(root_key(0), MEMBERS), X, y, np.ones((MEMBERS, len(X))))
    return load_jax().block_until_ready(found)


def loop(
    widths, activation: str, X: np.ndarray, y: np.ndarray, batch: int | None, *, fused: bool = False, falling: int = 0,
    members: int = MEMBERS,
):  # fmt: skip
    """A function of the epochs that trains the PyTorch committee for so many, one network after another."""
    nets = [rival.network(widths, activation) for _ in range(members)]
    extra = {"fused": True} if fused else {}
    optimisers = [torch.optim.Adam(net.parameters(), RATE, **extra) for net in nets]
    X, y = (torch.tensor(array, dtype=torch.float32) for array in (X, y))

    def rate_at(epoch: int) -> float:
        return RATE * (0.01 + 0.99 * 0.5 * (1 + np.cos(np.pi * epoch / falling))) if falling else RATE

    def step(net, optimiser, rows, wanted) -> None:
        optimiser.zero_grad()
        ((net(rows) - wanted) ** 2).mean().backward()
        optimiser.step()

    def train(epochs: int):
        for net, optimiser in zip(nets, optimisers, strict=True):
            for epoch in range(epochs):
                optimiser.param_groups[0]["lr"] = rate_at(epoch)
                if batch is None:
                    step(net, optimiser, X, y)
                    continue
                for picked in torch.randperm(len(X)).split(batch):
                    step(net, optimiser, X[picked], y[picked])
        return nets

    return train


def compare(name: str, activation: str, n: int, batch: int | None, repeats: int) -> dict:
    """One row of the table: milliseconds of an epoch (full batch) or a step (mini-batch) of the committee."""
    widths = NETS[name]
    X, y = law(n)
    plain, fused = (loop(widths, activation, X, y, batch, fused=quick) for quick in (False, True))
    plain(1)
    epochs = max(2, round(SECONDS / max(rival.cpu_seconds(lambda: plain(1)), 1e-4)))
    learner = ours(widths, activation, batch or "full", epochs)
    sides = [lambda: plain(epochs), lambda: fused(epochs), lambda: fit(learner, X, y)]
    steps = epochs * (1 if batch is None else -(-n // batch))
    theirs, theirs_fused, mine = (1e3 * t / steps for t in rival.least(sides, repeats=repeats))
    rows = n if batch is None else n / -(-n // batch)
    return {
        "net": name,
        "activation": activation,
        "mode": "full" if batch is None else f"batch {batch}",
        "rows": n,
        "PyTorch ms": theirs,
        "PyTorch fused ms": theirs_fused,
        "ours ms": mine,
        "ratio": theirs / mine,
        "bar": (BARS_FULL if batch is None else BARS_MINI)[name],
        "GFLOP/s": 6 * weights_of(widths) * rows * MEMBERS / mine / 1e6,
    }


def executables(activation: str) -> int:
    """How often fits of one net at seven row counts were compiled beyond the first (0 is the bar)."""
    before = None
    for n in (17, 80, 127, 128, 512, 2080, 4096):
        fit(ours((64, 64), activation, "full", 2), *law(n))
        before = before or trace_counts()["fit_many"]
    return trace_counts()["fit_many"] - before


def errors(activation: str) -> dict[str, float]:
    """Error on new rows over the variance of y, of the mean of each committee: 3x128, 512 rows, 300 epochs.

    Both under the same falling learning rate, from initial weights of the same variance.
    """
    X, y = law(512)
    new, wanted = law(4000, seed=1)
    learner = ours(NETS["3x128"], activation, "full", 300)
    mine = predict_many(learner, fit(learner, X, y), new).mean.mean(axis=0)
    nets = loop(NETS["3x128"], activation, X, y, None, falling=300)(300)
    with torch.no_grad():
        theirs = np.mean([net(torch.tensor(new, dtype=torch.float32)).numpy() for net in nets], axis=0)
    return {
        side: float(np.mean((out - wanted) ** 2) / wanted.var()) for side, out in (("ours", mine), ("PyTorch", theirs))
    }


def main() -> None:
    """Prints the table and the bars it keeps."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--activation", default="tanh,relu")
    parser.add_argument("--repeats", type=int, default=4)
    parser.add_argument("--json")
    options = parser.parse_args()
    rows = []
    for activation in options.activation.split(","):
        cells = [(name, n, batch) for name in NETS for n, batch in [*((n, None) for n in ROWS), (2080, BATCH)]]
        mine = [compare(name, activation, n, batch, options.repeats) for name, n, batch in cells]
        rival.show(f"Ten networks, {activation}, CPU ms of the committee", mine)
        rows += mine
    wide = [row["GFLOP/s"] for row in rows if row["rows"] >= 512 and row["mode"] == "full" and row["net"] != "2x64"]
    result = {
        "machine": rival.machine(),
        "rows": rows,
        "peak GFLOP/s of a large product (the floor)": rival.peak_gflops(),
        "least GFLOP/s from 512 rows and width 128": min(wide),
        "compilations beyond the first over seven row counts": executables("tanh"),
        "error on new rows over variance": errors("tanh"),
        "compile seconds in all (apart)": compile_seconds(),
        "bars missed": [
            f"{row['net']} {row['activation']} {row['mode']} {row['rows']}: {row['ratio']:.2f} < {row['bar']}"
            for row in rows
            if row["ratio"] < row["bar"]
        ],
    }
    for name, value in result.items():
        if name != "rows":
            print(f"{name}: {value}")
    rival.report(result, options.json)


if __name__ == "__main__":
    main()
