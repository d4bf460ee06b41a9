"""One `ask` of 100 rows on pools of up to ten million rows: CPU seconds and peak memory, a process for each.

    python benchmarks/pools.py [--rows 100000,1000000,10000000] [--columns 16] [--json FILE]

200 rows are labelled by a smooth law, the committee is the library's own, the guard is off, so that all 100 rows are
chosen. Peak memory is that of the process, the pool itself (8 bytes a value) included.
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

STRATEGIES = ("random", "gsx", "lcmd_x", "qbc", "qbc_div", "lcmd_tp", "qbc_gsxy", "bait_f", "max_det")
LABELLED, WANTED = 200, 100
BAR_GIB = 8.0


def measure(strategy: str, rows: int, columns: int) -> dict:
    """One row of the table, of this process."""
    from strongsuit import recipes
    from strongsuit.active import session
    from strongsuit.core import root_key
    from strongsuit.core.compile import first_call_seconds, use_compile_cache, use_one_thread

    use_one_thread()
    use_compile_cache()
    X = np.random.default_rng(0).uniform(-1, 1, (rows, columns))
    y = np.full((rows, 1), np.nan)
    y[:LABELLED, 0] = np.sin(3 * X[:LABELLED, 0]) + X[:LABELLED, 1] * X[:LABELLED, 2]
    began = time.process_time()
    learner = recipes.active_learner("auto")
    started = session.init(root_key(0), learner, X, y=y, strategy=strategy, guarded=False)
    opened = time.process_time()
    _, batch = session.ask(started, WANTED)
    seconds = time.process_time() - opened - first_call_seconds()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {
        "strategy": strategy, "asked": batch.strategy, "rows": rows, "open s": opened - began, "ask s": seconds,
        "peak GiB": peak, "pool GiB": X.nbytes / 2**30, "bar": "holds" if peak < BAR_GIB else "MISSED",
    }  # fmt: skip


def main() -> None:
    """Prints the table; every cell runs in a process of its own, so that its peak is its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default="100000,1000000,10000000")
    parser.add_argument("--columns", type=int, default=16)
    parser.add_argument("--strategies", default=",".join(STRATEGIES))
    parser.add_argument("--json", help="file for the result")
    parser.add_argument("--one", nargs=2, metavar=("STRATEGY", "ROWS"), help="measure this cell here, as JSON")
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measure(given.one[0], int(given.one[1]), given.columns)))
        return
    rows = []
    for count in given.rows.split(","):
        for strategy in given.strategies.split(","):
            command = [sys.executable, __file__, "--columns", str(given.columns), "--one", strategy, count]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            rows.append(json.loads(done.stdout.splitlines()[-1]))
            print(" ".join(f"{v:.3g}" if isinstance(v, float) else str(v) for v in rows[-1].values()), flush=True)
    import rival

    rival.show("One ask of 100 rows", rows)
    rival.report({"rows": rows, "machine": rival.machine()}, given.json)


if __name__ == "__main__":
    main()
