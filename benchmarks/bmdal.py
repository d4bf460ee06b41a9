"""Largest-cluster selection (LCMD-TP) beside the package bmdal-reg, which its authors wrote: CPU seconds and picks.

    python benchmarks/bmdal.py --rival PYTHON [--repeats 3] [--json FILE]

PYTHON is an interpreter that has bmdal-reg 3 and PyTorch; the package needs a NumPy below 2, so it lives in an
environment of its own. Both sides get the same rows, and the same features where features are given; gradient
features are those of networks of one shape, sketched to 512 columns. One thread, compiling left out, least of several
repeats, sides one after the other in one run.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np  # noqa: E402

LABELLED, SKETCH = 400, 512
# name: rows, columns, rows wanted, hidden layers, networks (0: features are given), bar on their time over ours
CASES = {
    "given, Gaussian": (100_000, 64, 100, (), 0, 4.0),
    "given, clustered": (100_000, 64, 100, (), 0, 4.0),
    "4x200, one network": (2_560, 14, 40, (200,) * 4, 1, None),
    "4x200, ten networks": (2_560, 14, 40, (200,) * 4, 10, None),
    "2x64, five networks": (2_560, 14, 40, (64,) * 2, 5, None),
    "2x64, one network, large": (100_000, 14, 100, (64,) * 2, 1, 10.0),
    "4x200, one network, large": (100_000, 14, 100, (200,) * 4, 1, 10.0),
}
SELECTION_BAR = 0.1  # CPU seconds of 40 of 2,560 with the library's default committee


def rows_of(name: str) -> np.ndarray:
    """Labelled rows in front, then the pool, float32."""
    count, columns = CASES[name][:2]
    rng = np.random.default_rng(0)
    X = rng.normal(size=(LABELLED + count, columns))
    if "clustered" in name:
        X = 0.1 * X + 3 * rng.normal(size=(50, columns))[rng.integers(50, size=len(X))]
    return X.astype(np.float32)


def theirs(name: str, repeats: int) -> dict:
    """Seconds and picks of bmdal-reg, in its own environment."""
    import torch
    from bmdal_reg.bmdal.algorithms import select_batch
    from bmdal_reg.bmdal.feature_data import TensorFeatureData

    torch.set_num_threads(1)
    _, columns, wanted, widths, networks, _ = CASES[name]
    X = torch.tensor(rows_of(name))
    torch.manual_seed(0)
    models = [
        _network(torch, columns, widths or (2,)) for _ in range(max(1, networks))
    ]  # it wants one even for given features
    sketch = [("ens", []), ("sketch", [SKETCH])] if networks > 1 else [("sketch", [SKETCH])]
    kernel = ("grad", sketch) if networks else ("linear", [])
    seconds, picks = [], None
    for _ in range(repeats):
        data = {"train": TensorFeatureData(X[:LABELLED]), "pool": TensorFeatureData(X[LABELLED:])}
        began = time.process_time()
        picks, _ = select_batch(
            wanted, models, data, None, base_kernel=kernel[0], kernel_transforms=kernel[1], selection_method="lcmd",
            sel_with_train=True, verbosity=0,
        )  # fmt: skip
        seconds.append(time.process_time() - began)
    return {"seconds": min(seconds), "picks": [int(i) for i in picks]}


def _network(torch, columns: int, widths: tuple[int, ...]):
    layers = []
    for into, out in zip((columns, *widths), widths, strict=False):
        layers += [torch.nn.Linear(into, out), torch.nn.ReLU()]
    return torch.nn.Sequential(*layers, torch.nn.Linear(widths[-1], 1))


def ours(name: str, repeats: int) -> dict:
    """Seconds and picks of the library."""
    from strongsuit.core.compile import use_compile_cache, use_one_thread

    use_one_thread()
    from strongsuit.active.committee import train
    from strongsuit.active.evidence import gradients
    from strongsuit.active.pool import pool_of
    from strongsuit.active.selectors.candidates import Candidates
    from strongsuit.active.selectors.clusters import lcmd
    from strongsuit.core import root_key
    from strongsuit.learners import MLP

    use_compile_cache()
    _, _, wanted, widths, networks, _ = CASES[name]
    X, key = rows_of(name), root_key(0)
    anchors = np.arange(len(X)) < LABELLED
    committee = None
    if networks:
        y = np.where(anchors[:, None], X[:, :1] + X[:, 1:2], np.nan)
        learner = MLP(widths=widths, activation="relu", choose_decay=False, epochs=1, least_steps=20, most_steps=20)
        committee = train(key, learner, pool_of(X, y=y), networks)

    def choose() -> np.ndarray:
        features = X if committee is None else gradients(key, committee, X, width=SKETCH)
        return lcmd(key, Candidates(~anchors, anchors, embedding=features), wanted).index

    picks = choose()  # compiles
    seconds = []
    for _ in range(repeats):
        began = time.process_time()
        picks = choose()
        seconds.append(time.process_time() - began)
    return {"seconds": min(seconds), "picks": [int(i) - LABELLED for i in picks]}


def _in_process(python: str, side: str, name: str, repeats: int) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.json"
        command = [python, __file__, "--side", side, "--case", name, "--repeats", str(repeats), "--json", str(out)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return json.loads(out.read_text())


def row(name: str, python: str, repeats: int) -> dict:
    """One row of the table."""
    mine = _in_process(sys.executable, "ours", name, repeats)
    rival = _in_process(python, "theirs", name, repeats)
    count, columns, wanted, _, networks, bar = CASES[name]
    ratio = rival["seconds"] / mine["seconds"]
    same = "" if networks else f"{sum(a == b for a, b in zip(mine['picks'], rival['picks'], strict=True))} of {wanted}"
    return {
        "case": name, "rows": f"{count:,} x {columns}", "chosen": wanted, "ours s": mine["seconds"],
        "bmdal-reg s": rival["seconds"], "ratio": ratio, "same picks": same,
        "bar": "" if bar is None else f">= {bar:g}: {'holds' if ratio >= bar else 'MISSED'}",
    }  # fmt: skip


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rival", help="Python interpreter that has bmdal-reg")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--cases", default=";".join(CASES), help="names of cases, with semicolons")
    parser.add_argument("--json", help="file for the result")
    parser.add_argument("--side", choices=("ours", "theirs"), help=argparse.SUPPRESS)
    parser.add_argument("--case", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.side:
        found = (ours if given.side == "ours" else theirs)(given.case, given.repeats)
        Path(given.json).write_text(json.dumps(found))
        return
    if not given.rival:
        parser.error("--rival PYTHON: an interpreter that has bmdal-reg, for instance of a virtual environment")
    rows = [row(name, given.rival, given.repeats) for name in given.cases.split(";")]
    import rival

    rival.show("LCMD-TP beside bmdal-reg", rows)
    rival.report({"rows": rows, "machine": rival.machine()}, given.json)


if __name__ == "__main__":
    main()
