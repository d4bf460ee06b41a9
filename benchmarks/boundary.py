"""What a stored boundary costs and how well it keeps a partition, beside support vector machines in the same run.

    python benchmarks/boundary.py [--seeds 3] [--first 0] [--rows 100000] [--full 10,100] [--json FILE]

CPU seconds, one thread, no compilation takes part. Accuracy is agreement with the true regimes on 20,000 fresh rows
without noise; training labels are wrong in 3 % of the rows. `--full` names values of C for which one support vector
machine is also fitted to all rows (10 is the published scheme's), for the first seed: minutes for each case and C.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from sklearn.svm import SVC
from threadpoolctl import threadpool_limits

from strongsuit.core.keys import root_key
from strongsuit.partition.boundary import Boundary, fit_boundary

FRESH = 20_000
NOISE = 0.03


def disc(rng: np.random.Generator, d: int) -> Callable[[np.ndarray], np.ndarray]:
    """A disc and the two sides of a wave in the first two columns; the others do not matter."""
    return lambda X: np.where((X[:, :2] ** 2).sum(1) < 0.5, 0, np.where(X[:, 0] + 0.5 * np.sin(3 * X[:, 1]) > 0, 1, 2))


def oblique(rng: np.random.Generator, d: int) -> Callable[[np.ndarray], np.ndarray]:
    """The same regimes in a plane turned at random among all columns."""
    turn, _ = np.linalg.qr(rng.normal(size=(d, d)))
    law = disc(rng, d)
    return lambda X: law(X @ turn)


def waves(rng: np.random.Generator, d: int) -> Callable[[np.ndarray], np.ndarray]:
    """The largest of three scores, each a sum of four sine waves that run through all columns."""
    direction = rng.normal(size=(3, 4, d)) / np.sqrt(d)
    phase, height = rng.uniform(0, 2 * np.pi, (3, 4)), rng.normal(size=(3, 4))
    return lambda X: (np.sin(np.einsum("kmd,nd->nkm", direction, 2.5 * X) + phase) * height).sum(-1).argmax(1)


CASES = {"disc x 2": (disc, 2), "disc x 6": (disc, 6), "oblique x 6": (oblique, 6), "waves x 6": (waves, 6)}


def rows(case: str, n: int, seed: int, noise: float = NOISE) -> tuple[np.ndarray, ...]:
    """Inputs (n, d), labels with noise (n,), fresh inputs and their true regimes."""
    law, d = CASES[case]
    rng = np.random.default_rng(seed)
    regime = law(rng, d)
    X, fresh = rng.uniform(-1.5, 1.5, (n, d)), rng.uniform(-1.5, 1.5, (FRESH, d))
    y = regime(X)
    y = np.where(rng.random(n) < noise, (y + rng.integers(1, 3, n)) % 3, y)
    return X, y, fresh, regime(fresh)


def timed(work: Callable) -> tuple:
    """What `work` returns, and its CPU seconds."""
    began = time.process_time()
    result = work()
    return result, time.process_time() - began


def ours(X: np.ndarray, y: np.ndarray, seed: int, **options) -> Boundary:
    """The boundary with default settings."""
    return fit_boundary(root_key(seed), y, X, np.ones(len(X)), units=np.arange(len(X)), **options)


def machine(X: np.ndarray, y: np.ndarray, C: float) -> Callable[[np.ndarray], np.ndarray]:
    """The labels of one support vector machine on all rows, gamma 1 / (columns x variance)."""
    scale = X.std(0)
    svm = SVC(C=C, gamma=1 / X.shape[1], cache_size=2_000).fit(X / scale, y)
    return lambda T: svm.predict(T / scale)


def entry(case: str, model: str, seed: int, data: tuple, fit: Callable) -> dict:
    """Seconds to fit and to predict, and accuracy, of one model on one case."""
    X, y, fresh, truth = data
    model_labels, fit_seconds = timed(lambda: fit(X, y))
    named, predict_seconds = timed(lambda: model_labels(fresh))
    accuracy = float((named == truth).mean())
    return {"case": case, "model": model, "seed": seed, "fit": fit_seconds, "predict": predict_seconds,
            "accuracy": accuracy}  # fmt: skip


def compare(case: str, n: int, seed: int, full: list[float]) -> list[dict]:
    """Every model on one case; `boundary (auto)` is what a user gets by default."""
    data = rows(case, n, seed)
    models = {f"boundary ({kind})": {"kind": kind} for kind in ("auto", "active_rbf", "boosted")}
    found = [
        entry(case, name, seed, data, lambda X, y, options=options: ours(X, y, seed, **options).labels)
        for name, options in models.items()
    ]
    found.append(entry(case, "SVC, 5,000 rows, C 10", seed, data, lambda X, y: machine(X[:5_000], y[:5_000], 10.0)))
    for C in full:
        found.append(entry(case, f"SVC, all rows, C {C:.0f}", seed, data, lambda X, y, C=C: machine(X, y, C)))
    return found


def small(seed: int, *, n: int = 1_500, d: int = 8) -> list[dict]:
    """Seconds of a small boundary inside cross-fitting: with the search, and with its settings given."""
    CASES[f"disc x {d}"] = (disc, d)
    kinds = [(noise, kind) for noise in (NOISE, 0.0) for kind in ("auto", "rbf")]
    return [_small(rows(f"disc x {d}", n, seed, noise), kind, seed, noise) for noise, kind in kinds]


def _small(data: tuple, kind: str, seed: int, noise: float) -> dict:
    X, y, fresh, truth = data
    _, one = timed(lambda: SVC(C=10.0, gamma=1 / X.shape[1]).fit(X / X.std(0), y))
    boundary, search = timed(lambda: ours(X, y, seed, kind=kind))
    _, again = timed(lambda: ours(X, y, seed, settings=boundary.settings))
    _, calibrated = timed(lambda: ours(X, y, seed, settings=replace(boundary.settings, temperature=None)))
    return {
        "rows": f"{len(X):,} x {X.shape[1]}", "noise": noise, "asked": kind, "kind": boundary.kind, "seed": seed,
        "one SVC": one, "with search": search, "settings given": again, "and calibrated": calibrated,
        "accuracy": float((boundary.labels(fresh) == truth).mean()),
    }  # fmt: skip


INTERVALS = {"crest": (1.0, [0.4, 0.6], [0, 1, 0]), "foam": (0.75, [0.05, 0.5], [0, 1, 2])}


def sharp(name: str, flips: float, seed: int, *, n: int = 2_000) -> dict:
    """Error of a one-dimensional boundary, its labels flipped at random within 0.02 of a cut, and its islands."""
    top, cuts, names = INTERVALS[name]
    rng = np.random.default_rng(seed)
    x, grid = rng.uniform(0, top, n), np.linspace(0, top, FRESH)
    y, truth = (np.array(names)[np.searchsorted(cuts, v)] for v in (x, grid))
    near = np.abs(x[:, None] - cuts).min(1) < 0.02
    count = max(names) + 1
    y = np.where(near & (rng.random(n) < flips), (y + rng.integers(1, count, n)) % count, y)
    boundary, seconds = timed(lambda: ours(x[:, None], y, seed))
    named = boundary.labels(grid[:, None])
    islands = int(np.count_nonzero(np.diff(named)) - len(cuts))
    error = float((named != truth).mean())
    return {"law": name, "flips": flips, "seed": seed, "fit": seconds, "error": error, "islands": islands}


def million(kind: str, n: int) -> dict:
    """Seconds to label 1,000,000 rows of six columns."""
    fresh = np.random.default_rng(0).uniform(-1.5, 1.5, (1_000_000, 6))
    X, y, _, _ = rows("disc x 6", n, 0)
    boundary = ours(X, y, 0, kind=kind)
    svm = boundary.model["svm"] if kind == "boosted" else boundary.model
    _, seconds = timed(lambda: boundary.labels(fresh))
    return {"kind": kind, "trained on": n, "support vectors": len(svm.support_), "predict": seconds}


def table(entries: list[dict], keys: list[str], *, worst: str | None = None) -> str:
    """Means over seeds, one line for each combination of the keys; with the largest value of the column `worst`."""
    groups: dict[tuple, list[dict]] = {}
    for e in entries:
        groups.setdefault(tuple(e[k] for k in keys), []).append(e)
    numbers = [k for k in entries[0] if k not in keys and k != "seed"]
    lines = ["| " + " | ".join(keys + numbers) + " |", "|---" * (len(keys) + len(numbers)) + "|"]
    for group, members in groups.items():
        cells = [str(k) for k in group]
        for k in numbers:
            values = [m[k] for m in members]
            text = "/".join(sorted(set(values))) if isinstance(values[0], str) else f"{np.mean(values):.4g}"
            cells.append(f"{text} (at most {max(values):.4g})" if k == worst else text)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def means(entries: list[dict]) -> list[dict]:
    """One line for each case and model: means over the seeds."""
    lines = []
    for case, model in dict.fromkeys((e["case"], e["model"]) for e in entries):
        own = [e for e in entries if (e["case"], e["model"]) == (case, model)]
        figures = {k: float(np.mean([e[k] for e in own])) for k in ("fit", "predict")}
        lines.append(
            {"case": case, "model": model} | figures | {"accuracy": f"{np.mean([e['accuracy'] for e in own]):.4f}"}
        )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first", type=int, default=0, help="the first seed; settings were chosen on 0 to 2")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--full", default="", help="values of C for machines on all rows, first seed only")
    parser.add_argument("--json", help="file for the single records")
    args = parser.parse_args()
    with threadpool_limits(1):
        run(args)


def run(args: argparse.Namespace) -> None:
    """All figures, printed as tables of means over seeds."""
    ours(*rows("disc x 2", 500, 0)[:2], 0)  # imports and caches are no part of the figures
    seeds, full = range(args.first, args.first + args.seeds), [float(C) for C in args.full.split(",") if C]
    parts = {
        "large": [
            e
            for case in list(CASES)
            for s in seeds
            for e in compare(case, args.rows, s, [] if s > args.first else full)
        ],
        "small": [e for s in seeds for e in small(s)],
        "sharp": [sharp(name, flips, s) for name in INTERVALS for flips in (0.0, 0.1) for s in range(20)],
        "million": [
            million(kind, n)
            for kind, n in (("linear", 3_000), ("rbf", 3_000), ("active_rbf", 100_000), ("boosted", 100_000))
        ],
    }
    print(f"{platform.machine()}, one thread, {args.seeds} seeds from {args.first} on, load {os.getloadavg()[0]:.1f}")
    print(f"\n{args.rows:,} rows\n\n{table(parts['large'], ['case', 'model'])}")
    print(f"\nSmall tables\n\n{table(parts['small'], ['rows', 'noise', 'asked'])}")
    print(f"\nSharp cuts, 20 seeds\n\n{table(parts['sharp'], ['law', 'flips'], worst='error')}")
    print(f"\nOne million rows\n\n{table(parts['million'], ['kind', 'trained on'])}")
    if args.json:
        with open(args.json, "w", encoding="utf-8") as file:
            json.dump(parts | {"rows": means(parts["large"])}, file, indent=1)


if __name__ == "__main__":
    main()
