"""Recovery of known regimes and refusal where there are none, with default settings.

    python benchmarks/recovery.py [--seeds 20] [--rows 2000] [--laws wave_climb,...] [--jobs 2]

Recovery is the adjusted Rand index between the regimes found and the true ones; refusal is the share
of seeds with one deployed regime. `pw_linear_cart` is the real file (200 rows, STRONGSUIT_DATA).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np

RECOVERED = {"anomaly_crest": 0.97, "wave_climb": 0.97, "foam_stress_strain": 0.97, "pw_linear_cart": 0.90}
REFUSED = ("overlap", "one_pattern")
REFUSALS = 0.95  # share of seeds that must be refused


def measure(task: tuple[str, int, int, str]) -> dict:
    """One law, one seed: regimes found and deployed, agreement with the truth, CPU seconds."""
    name, seed, rows, learner = task
    from sklearn.metrics import adjusted_rand_score

    from strongsuit.estimators import PartitionedRegressor

    X, y, truth = _table(name, seed, rows)
    began = time.process_time()
    model = PartitionedRegressor(learner=learner, random_state=seed).fit(X, y)
    seconds = time.process_time() - began
    agreement = adjusted_rand_score(truth, model.labels_)
    return {
        "law": name, "seed": seed, "found": model.found_, "regimes": model.regimes_, "ari": float(agreement),
        "reason": model.summary_["reason"], "gain": model.summary_["gain"], "cpu_seconds": seconds,
        "second_opinion": model.summary_["second_opinion"],
    }  # fmt: skip


def _table(name: str, seed: int, rows: int):
    if name == "pw_linear_cart":
        from strongsuit.datasets import load

        table = load(name)
        return table.X.to_numpy(float), table.y[:, 0], (table.X["a1"] > 0).to_numpy(int)
    from strongsuit.datasets import generate

    frame = generate(name, rows=rows, seed=seed).to_frame()
    return frame.drop(columns=["y", "regime"]).to_numpy(float), frame["y"].to_numpy(float), frame["regime"]


def report(records: list[dict]) -> str:
    """The table of medians and shares, with the bar each is held to."""
    lines = ["| law | seeds | ARI median [min, max] | found (median) | deployed | one regime deployed | CPU s | bar |"]
    lines.append("|---|---:|---:|---:|---:|---:|---:|---|")
    for name in dict.fromkeys(r["law"] for r in records):
        own = [r for r in records if r["law"] == name]
        ari = np.array([r["ari"] for r in own])
        alone = np.mean([r["regimes"] == 1 for r in own])
        seconds = np.median([r["cpu_seconds"] for r in own])
        if name in RECOVERED:
            bar = f"ARI >= {RECOVERED[name]}: {'holds' if np.median(ari) >= RECOVERED[name] else 'missed'}"
        else:
            bar = f"refused >= {REFUSALS:.0%}: {'holds' if alone >= REFUSALS else 'missed'}"
        lines.append(
            f"| {name} | {len(own)} | {np.median(ari):.3f} [{ari.min():.3f}, {ari.max():.3f}] "
            f"| {np.median([r['found'] for r in own]):.0f} | {1 - alone:.0%} | {alone:.0%} | {seconds:.1f} | {bar} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Runs the grid, prints records as JSON lines while it goes, and the table at the end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--learner", default="auto")
    parser.add_argument("--laws", default=",".join([*RECOVERED, *REFUSED]))
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = "1"
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    tasks = [(n, s, given.rows, given.learner) for s in range(given.seeds) for n in given.laws.split(",")]
    records = []
    with ProcessPoolExecutor(given.jobs, mp_context=get_context("spawn")) as pool:
        for record in pool.map(measure, tasks):
            records.append(record)
            print(json.dumps(record), flush=True)
    print(f"\n{platform.machine()}, {given.rows} rows, learner {given.learner}\n\n{report(records)}")


if __name__ == "__main__":
    main()
