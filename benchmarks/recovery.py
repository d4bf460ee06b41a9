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


def summary(records: list[dict]) -> list[dict]:
    """One line a law: medians and shares over the seeds, and the bar the law is held to."""
    lines = []
    for name in dict.fromkeys(r["law"] for r in records):
        own = [r for r in records if r["law"] == name]
        ari = np.array([r["ari"] for r in own])
        alone = float(np.mean([r["regimes"] == 1 for r in own]))
        second = float(
            np.mean([r["second_opinion"] is None or r["second_opinion"]["deployed"] == "single" for r in own])
        )
        if name in RECOVERED:
            held, bar = np.median(ari) >= RECOVERED[name], f"ARI >= {RECOVERED[name]}"
        else:
            held, bar = alone >= REFUSALS, f"refused >= {REFUSALS:.0%}"
        lines.append(
            {
                "law": name, "seeds": len(own), "ARI median": round(float(np.median(ari)), 3),
                "least": round(float(ari.min()), 3), "regimes found": float(np.median([r["found"] for r in own])),
                "one regime deployed": f"{alone:.0%}", "under the other caution": f"{second:.0%}",
                "CPU s": round(float(np.median([r["cpu_seconds"] for r in own])), 1),
                "bar": f"{bar}: {'holds' if held else 'missed'}",
            }
        )  # fmt: skip
    return lines


def report(records: list[dict]) -> str:
    """The summary as a Markdown table."""
    lines = summary(records)
    head = "| " + " | ".join(lines[0]) + " |\n|" + "---|" * len(lines[0])
    return "\n".join([head, *("| " + " | ".join(map(str, line.values())) + " |" for line in lines)])


def main() -> None:
    """Runs the grid, prints records as JSON lines while it goes, and the table at the end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--learner", default="auto")
    parser.add_argument("--laws", default=",".join([*RECOVERED, *REFUSED]))
    parser.add_argument("--json", help="file for the summary")
    parser.add_argument("--records", help="summarise these records (JSON lines) instead of measuring")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = "1"
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    records = [] if given.records is None else [json.loads(r) for r in open(given.records) if r.startswith("{")]
    tasks = (
        []
        if given.records
        else [(n, s, given.rows, given.learner) for s in range(given.seeds) for n in given.laws.split(",")]
    )
    with ProcessPoolExecutor(given.jobs, mp_context=get_context("spawn")) as pool:
        for record in pool.map(measure, tasks):
            records.append(record)
            print(json.dumps(record), flush=True)
    if given.json:
        with open(given.json, "w", encoding="utf-8") as file:
            json.dump({"rows": summary(records)}, file, indent=1)
    print(f"\n{platform.machine()}, {given.rows} rows, learner {given.learner}\n\n{report(records)}")


if __name__ == "__main__":
    main()
