"""Choosing a batch from a pool: CPU seconds of the selectors beside plain NumPy and beside what memory allows.

    python benchmarks/selection.py [--large] [--repeats 3] [--json FILE]

Plain NumPy is the shortest vectorised loop of the same rule on the same rows. The floor is the time to read the
embedding once at 30 GB/s, which no exact rule can undercut without an index. Float32 rows, no anchors, one thread;
compilation is reported apart. `--large` adds the pools of a million rows (2 GB of memory).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np  # noqa: E402

from strongsuit.active.selectors.bait import bait  # noqa: E402
from strongsuit.active.selectors.blend import blend  # noqa: E402
from strongsuit.active.selectors.candidates import Candidates  # noqa: E402
from strongsuit.active.selectors.clusters import kmeans_pp, lcmd  # noqa: E402
from strongsuit.active.selectors.frank_wolfe import frank_wolfe  # noqa: E402
from strongsuit.active.selectors.k_center import k_center  # noqa: E402
from strongsuit.active.selectors.max_det import max_det  # noqa: E402
from strongsuit.active.selectors.top_k import power, top_k  # noqa: E402
from strongsuit.active.selectors.uniform import uniform  # noqa: E402
from strongsuit.core import root_key  # noqa: E402

BANDWIDTH = 30e9  # bytes a second that one core of the reference machine reads
KEY = root_key(0)


def rows(kind: str, n: int, p: int) -> np.ndarray:
    """Float32 rows: Gaussian, 200 clusters, or a curved sheet of four dimensions."""
    rng = np.random.default_rng(0)
    if kind == "gaussian":
        return rng.standard_normal((n, p), dtype=np.float32)
    if kind == "clusters":
        centres = 3.0 * rng.standard_normal((200, p), dtype=np.float32)
        return centres[rng.integers(0, 200, n)] + np.float32(0.5) * rng.standard_normal((n, p), dtype=np.float32)
    sheet = rng.uniform(-1, 1, (n, 4)).astype(np.float32) @ rng.standard_normal((4, p), dtype=np.float32)
    return np.sin(2 * sheet + rng.uniform(0, 6, p).astype(np.float32))


def pool(kind: str, n: int, p: int) -> Candidates:
    """A pool without anchors."""
    score = np.random.default_rng(1).random(n)
    return Candidates(np.ones(n, bool), np.zeros(n, bool), score=score, embedding=rows(kind, n, p))


def distances(X: np.ndarray, row: int) -> np.ndarray:
    """Squared distances (n,) to a row."""
    step = X - X[row]
    return np.einsum("ij,ij->i", step, step)


def plain_k_center(c: Candidates, b: int) -> list[int]:
    """Farthest-first from the row nearest to the mean."""
    X = c.embedding
    picks = [int(((X - X.mean(axis=0)) ** 2).sum(axis=1).argmin())]
    d2 = distances(X, picks[0])
    while len(picks) < b:
        picks.append(int(d2.argmax()))
        np.minimum(d2, distances(X, picks[-1]), out=d2)
    return picks


def plain_lcmd(c: Candidates, b: int) -> list[int]:
    """Largest cluster, maximum distance."""
    X = c.embedding
    picks = [int(np.einsum("ij,ij->i", X, X).argmax())]
    d2, owner = distances(X, picks[0]), np.zeros(len(X), dtype=np.int64)
    while len(picks) < b:
        heaviest = np.bincount(owner, d2).argmax()
        picks.append(int(np.where(owner == heaviest, d2, -1).argmax()))
        d = distances(X, picks[-1])
        nearer = d < d2
        d2[nearer], owner[nearer] = d[nearer], len(picks) - 1
    return picks


def plain_kmeans_pp(c: Candidates, b: int) -> list[int]:
    """Rows drawn in proportion to squared distance."""
    X, rng = c.embedding, np.random.default_rng(0)
    picks = [int(rng.integers(len(X)))]
    d2 = distances(X, picks[0])
    while len(picks) < b:
        total = np.cumsum(d2, dtype=np.float64)
        picks.append(int(np.searchsorted(total, rng.random() * total[-1])))
        np.minimum(d2, distances(X, picks[-1]), out=d2)
    return picks


def plain_max_det(c: Candidates, b: int) -> list[int]:
    """Pivoted Cholesky in float64."""
    X = c.embedding.astype(np.float64)
    v, U, picks = np.einsum("ij,ij->i", X, X), np.zeros((b, X.shape[1])), []
    for number in range(b):
        row = int(v.argmax())
        x, before = X[row], U[:number]
        U[number] = (x - (before @ x) @ before) / np.sqrt(c.noise + v[row])
        v -= (X @ U[number]) ** 2
        v[row] = -1.0
        picks.append(row)
    return picks


def plain_blend(c: Candidates, b: int) -> list[int]:
    """Half score, half distance, scaled anew at each pick."""
    X, free = c.embedding, np.ones(len(c.score), dtype=bool)
    V = (c.score - c.score.min()) / np.ptp(c.score)
    picks, D, d2 = [], np.zeros(len(V)), np.full(len(V), np.inf, dtype=np.float32)
    for _ in range(b):
        picks.append(int(np.where(free, V + D, -1).argmax()))
        free[picks[-1]] = False
        np.minimum(d2, distances(X, picks[-1]), out=d2)
        D = np.sqrt(d2)
        low, high = D[free].min(), D[free].max()
        D = (D - low) / (high - low)
    return picks


PLAIN = {
    "k_center": plain_k_center, "lcmd": plain_lcmd, "kmeans_pp": plain_kmeans_pp, "max_det": plain_max_det,
    "blend": plain_blend, "top_k": lambda c, b: np.argsort(-c.score)[:b],
}  # fmt: skip
OURS = {
    "k_center": k_center, "lcmd": lcmd, "kmeans_pp": kmeans_pp, "max_det": max_det, "blend": blend, "top_k": top_k,
    "power": power, "uniform": uniform, "bait_f": bait, "bait_fb": partial(bait, overselect=2),
    "frank_wolfe": frank_wolfe,
}  # fmt: skip
SMALL = [
    ("gaussian", 10_000, 8, 40, ["k_center"]),
    ("gaussian", 2_560, 512, 40, ["lcmd", "max_det", "kmeans_pp", "bait_f", "bait_fb", "frank_wolfe"]),
    ("gaussian", 100_000, 8, 100, ["k_center", "lcmd"]),
    ("gaussian", 100_000, 64, 100, [*OURS]),
    ("clusters", 100_000, 64, 100, ["k_center", "lcmd", "kmeans_pp", "max_det"]),
    ("sheet", 100_000, 64, 100, ["k_center", "lcmd", "kmeans_pp", "max_det"]),
]
LARGE = [
    ("gaussian", 1_000_000, 64, 100, ["k_center", "lcmd", "kmeans_pp", "max_det"]),
    *((kind, 1_000_000, 64, 1_000, ["k_center"]) for kind in ("gaussian", "clusters", "sheet")),
    ("gaussian", 1_000_000, 8, 1_000, ["k_center"]),
]
PLAIN_LIMIT = 1e9  # numbers read by the plain version beyond which it is left out


def cpu_seconds(run: Callable[[], object]) -> tuple[float, object]:
    """CPU seconds of a call, and its result."""
    began = time.process_time()
    result = run()
    return time.process_time() - began, result


def measure(name: str, c: Candidates, b: int, repeats: int) -> dict:
    """One line of the table."""
    ours = partial(OURS[name], KEY, c, b)
    first, _ = cpu_seconds(ours)
    mine = [cpu_seconds(ours) for _ in range(repeats)]
    best = min(seconds for seconds, _ in mine)
    line = {"rule": name, "ours s": best, "first call s": first}
    n, p = c.embedding.shape
    if name in PLAIN and n * p * b <= PLAIN_LIMIT:
        seconds, picks = cpu_seconds(partial(PLAIN[name], c, b))
        same = np.mean(np.array(picks) == mine[0][1].index)
        line |= {
            "plain s": seconds,
            "ratio": seconds / best,
            "same picks": "" if name == "kmeans_pp" else f"{same:.0%}",
        }
    else:
        line |= {"plain s": "", "ratio": "", "same picks": ""}
    floor = 0.0 if name in ("top_k", "power", "uniform") else n * p * 4 / BANDWIDTH
    return line | {"floor s": floor}


def show(lines: list[dict]) -> None:
    """The lines as a Markdown table."""
    print("| " + " | ".join(lines[0]) + " |\n|" + "---|" * len(lines[0]))
    for line in lines:
        print("| " + " | ".join(f"{v:.3g}" if isinstance(v, float) else str(v) for v in line.values()) + " |")


def main() -> None:
    """Prints the table; with --json also writes it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--only", nargs="*", help="rules to measure")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json")
    options = parser.parse_args()
    warm = pool("gaussian", 3000, 4)
    compiling, _ = cpu_seconds(lambda: [select(KEY, warm, 3) for select in OURS.values()])
    lines = []
    for kind, n, p, b, names in SMALL + (LARGE if options.large else []):
        names = [name for name in names if not options.only or name in options.only]
        if names:
            c = pool(kind, n, p)
            head = {"rows": kind, "n": n, "p": p, "b": b}
            lines += [head | measure(name, c, b, options.repeats) for name in names]
    show(lines)
    names = [one for one in Path("/proc/cpuinfo").read_text().splitlines() if one.startswith("model name")]
    machine = {"processor": names[0].split(":")[1].strip() if names else platform.processor(), "numpy": np.__version__}
    print(f"\ncompiling or loading all: {compiling:.1f} CPU-s; {machine}, load {os.getloadavg()[0]:.1f}")
    if options.json:
        Path(options.json).write_text(json.dumps({"machine": machine, "rows": lines}, indent=1) + "\n")


if __name__ == "__main__":
    main()
