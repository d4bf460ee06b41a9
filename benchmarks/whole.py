"""What a whole `strongsuit partition` costs: from a CSV or Parquet file to the model directory and its report.

    python benchmarks/whole.py [--rows 100000,1000000] [--learner auto] [--json FILE]

Two regimes in ten inputs, told apart by an oblique plane. Each run is a fresh process on one thread a library; CPU
seconds and peak memory are those of the process, as the system counts them; calls that compile are counted apart.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

BARS = {100_000: 120.0, 1_000_000: 900.0}  # seconds
BAR_GB = 4.0
COMMAND = """
import sys
from strongsuit.cli import main
from strongsuit.core.compile import first_call_seconds
code = main(sys.argv[1:])
print(first_call_seconds(), file=sys.stderr)
sys.exit(code)
"""


def table(rows: int, seed: int = 0) -> pd.DataFrame:
    """Ten inputs and a target that follows one of two laws."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, 10))
    one = 3 * X[:, 2] - X[:, 3] + X[:, 4] ** 2
    two = np.sin(2 * X[:, 2]) - 2 * X[:, 5] + X[:, 6] * X[:, 7]
    frame = pd.DataFrame(X, columns=[f"x{j}" for j in range(10)])
    frame["y"] = np.where(X[:, 0] + 0.5 * X[:, 1] > 0, one, two) + 0.3 * rng.normal(size=rows)
    return frame


def measure(rows: int, learner: str) -> dict:
    """One run of the command on a table of so many rows."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "table.parquet"
        table(rows).to_parquet(source, index=False)
        words = ["partition", str(source), "--target", "y", "--learner", learner, "--json", "--out"]
        command = [sys.executable, "-c", COMMAND, *words, str(Path(folder) / "model")]
        threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
        flags = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        done = subprocess.run(
            command, env=os.environ | threads | {"XLA_FLAGS": flags}, capture_output=True, text=True, check=True
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    facts, compiling = json.loads(done.stdout), float(done.stderr.split()[-1])
    return {
        "rows": rows,
        "CPU seconds": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime - compiling,
        "compiling": compiling,
        "wall seconds": time.perf_counter() - began,
        "peak GB": after.ru_maxrss / 1e6,
        "fits": facts["fits"],
        "found": facts["found"],
        "deployed": facts["deployed"],
        "bar": BARS.get(rows, float("nan")),
    }


def main() -> None:
    """Prints the table, smallest table first: peak memory counts the largest child so far."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", default="100000,1000000")
    parser.add_argument("--learner", default="auto")
    parser.add_argument("--json")
    options = parser.parse_args()
    rows = []
    for count in sorted(int(n) for n in options.rows.split(",")):
        rows.append(measure(count, options.learner))
        print(json.dumps(rows[-1]), flush=True)
    result = {"machine": {"processor": platform.processor(), "cores": os.cpu_count()}, "rows": rows}
    for row in rows:
        held = row["CPU seconds"] <= row["bar"] and row["peak GB"] <= BAR_GB
        print(f"{row['rows']} rows: {'held' if held else 'missed'}")
    if options.json:
        Path(options.json).write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
