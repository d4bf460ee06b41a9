"""Queries for a classifier: 100 of 100,000 rows, ALFA-Mix beside margin and k-means.

    python benchmarks/queries.py [--parts large,mixing] [--json FILE]

*large*: 100,000 x 384 float32 features in clusters, 20 classes, 1,000 labels; *propose* is the strategy alone on all
rows, *ask* the whole call of a session (which offers 50,000 rows of so large a pool), the head's fit included; a
process for each, its peak memory with the features themselves. *mixing*: both choose b rows of the same evidence;
margin and k-means is the row of smallest margin in each cluster of as many smallest margins as ALFA-Mix clusters, and
beside it of 10 b. Queries are whole: what the head says of all rows is part of them; "rule" leaves that out. How many
steps k-means takes is up to its seed: means over the same seeds of both.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np  # noqa: E402

LARGE = ("badge", "typiclust", "prob_cover", "u_herding", "bait_fast", "max_herding", "dcom", "k_center", "alfa_mix")
ROWS, COLUMNS, CLASSES, LABELLED, WANTED = 100_000, 384, 20, 1_000, 100
BAR_SECONDS, BAR_GIB, BAR_MIXING = 20.0, 2.0, 1.2
MIXED = ((5_000, 16, 10, 10), (5_000, 64, 10, 100), (50_000, 64, 10, 100), (50_000, 384, 100, 100))
SEEDS, REPEATS = 8, 4


def clustered(rows: int, columns: int, classes: int, *, wide: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Rows (n, p) around five centres a class, and their class numbers (n,)."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(5 * classes, columns)).astype(np.float32)
    number = rng.integers(0, len(centres), rows)
    X = centres[number] + 0.9 * rng.standard_normal((rows, columns), np.float32)
    return (X if wide else X.astype(float)), number % classes


def started(strategy: str, X: np.ndarray, y: np.ndarray, classes: int, labelled: int):
    """A session with the first rows labelled, the guard off."""
    from strongsuit import recipes
    from strongsuit.active import session
    from strongsuit.core import root_key

    known = np.full((len(X), classes), np.nan)
    known[:labelled] = np.eye(classes)[y[:labelled]]
    learner = recipes.active_classifier("softmax")
    return session.init(root_key(0), learner, X, y=known, strategy=strategy, guarded=False)


def asked_for(needs: frozenset[str], X: np.ndarray, y: np.ndarray, classes: int, labelled: int):
    """A trained committee's way to say of all rows what some of the fields `needs` ask for."""
    from strongsuit.active.committee import train
    from strongsuit.active.evidence import gather
    from strongsuit.core import key_for, root_key

    key = root_key(0)
    begun = started("random", X, y, classes, labelled)
    pool = begun.pool
    committee = train(key_for(key, "train"), begun.learner, pool, 5, rows=pool.labelled, needs=needs)
    box = (pool.X.min(0), pool.X.max(0))
    return lambda fields: gather(key, committee, pool, fields, anchors=pool.labelled, box=box)


def large(strategy: str) -> dict:
    """One row of the table of large pools, of this process."""
    from strongsuit.active import session
    from strongsuit.active.strategies import CLASSIFICATION, find_strategy
    from strongsuit.active.strategy import propose
    from strongsuit.core import root_key
    from strongsuit.core.compile import first_call_seconds, use_compile_cache, use_one_thread

    use_one_thread()
    use_compile_cache()
    X, y = clustered(ROWS, COLUMNS, CLASSES, wide=True)
    begun = started(strategy, X, y, CLASSES, LABELLED)
    began, compiling = time.process_time(), first_call_seconds()
    session.ask(begun, WANTED)
    asked = time.process_time() - began - (first_call_seconds() - compiling)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    del begun
    row = find_strategy(strategy, CLASSIFICATION)
    evidence = asked_for(row.needs, X, y, CLASSES, LABELLED)(row.needs)
    began, compiling = time.process_time(), first_call_seconds()
    propose(root_key(1), row, evidence, WANTED)
    alone = time.process_time() - began - (first_call_seconds() - compiling)
    held = alone < BAR_SECONDS > asked and peak < BAR_GIB
    return {
        "strategy": strategy, "propose s": alone, "ask s": asked, "peak GiB of ask": peak,
        "peak GiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, "bar": "holds" if held else "MISSED",
    }  # fmt: skip


def mixing(n: int, p: int, classes: int, b: int) -> dict:
    """ALFA-Mix beside margin and k-means."""
    from strongsuit.active import class_scores
    from strongsuit.active.selectors.feature_mixing import cap_level
    from strongsuit.active.strategies import CLASSIFICATION, find_strategy
    from strongsuit.active.strategy import propose
    from strongsuit.core import root_key

    X, y = clustered(n, p, classes)
    row, needs = find_strategy("alfa_mix", CLASSIFICATION), frozenset({"proba", "last"})
    gathered = asked_for(row.needs | needs, X, y, classes, 20 * classes)
    evidence = gathered(row.needs | needs)

    def mixed(evidence, seed):
        return propose(root_key(seed), row, evidence, b)

    reach = -row.score(evidence)[evidence.available] * p**0.5
    flips = int((reach < cap_level(reach, b, cap=0.2)).sum())

    def plain(evidence, count, seed):
        from sklearn.cluster import KMeans

        score = class_scores.margin(evidence.proba)
        kept = np.flatnonzero(evidence.available)
        kept = kept[np.argsort(-score[kept])[:count]]
        Z = evidence.last[kept, :-1]
        Z = (Z / np.linalg.norm(Z, axis=1, keepdims=True)).astype(np.float64)
        label = KMeans(b, n_init=1, random_state=seed).fit(Z).labels_
        return [kept[label == one][score[kept[label == one]].argmax()] for one in np.unique(label)]

    ways = [
        lambda seed: mixed(gathered(row.needs), seed),
        lambda seed: plain(gathered(needs), flips, seed),
        lambda seed: plain(gathered(needs), 10 * b, seed),
        lambda seed: mixed(evidence, seed),
        lambda seed: plain(evidence, flips, seed),
    ]
    whole, theirs, fewer, rule, their_rule = least(ways)
    return {
        "pool": f"{n:,} x {p}", "classes": classes, "b": b, "rows clustered": flips, "ALFA-Mix ms": 1e3 * whole,
        "margin and k-means ms": 1e3 * theirs, "ratio": whole / theirs, "of 10 b rows": whole / fewer,
        "rule": rule / their_rule, "bar": "holds" if whole <= BAR_MIXING * theirs else "MISSED",
    }  # fmt: skip


def least(rivals: list) -> list[float]:
    """The CPU seconds of each, the mean over seeds of the least of interleaved repeats, after a first call of each."""
    for run in rivals:
        run(0)
    found = []
    for seed in range(SEEDS):
        repeats = []
        for _ in range(REPEATS):
            times = []
            for run in rivals:
                began = time.process_time()
                run(seed)
                times.append(time.process_time() - began)
            repeats.append(times)
        found.append([min(column) for column in zip(*repeats, strict=True)])
    return [sum(column) / SEEDS for column in zip(*found, strict=True)]


def alone(part: str, *words: str) -> dict:
    """A row of a table, measured by a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, "--one", part, *words], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", default="large,mixing")
    parser.add_argument("--strategies", default=",".join(LARGE), help="of the part large")
    parser.add_argument("--json", help="file for the result")
    parser.add_argument("--one", nargs="+", help="measure this row here, as JSON")
    given = parser.parse_args()
    measured = {"large": large, "mixing": mixing}
    if given.one:
        part, *words = given.one
        print(json.dumps(measured[part](*(int(word) if word.isdigit() else word for word in words))))
        return
    cells = {"large": [(name,) for name in given.strategies.split(",")], "mixing": MIXED}
    import rival

    result: dict = {}
    for part in given.parts.split(","):
        result[part] = [alone(part, *(str(word) for word in cell)) for cell in cells[part]]
        rival.show(part, result[part])
    rival.report(result | {"machine": rival.machine()}, given.json)


if __name__ == "__main__":
    main()
