"""What the speed benchmarks share: PyTorch networks, CPU seconds, the machine, the printed table.

Every figure is the least CPU time of several repeats, the repeats of both sides interleaved: on a shared machine noise
only ever adds, and ratios within one run are what counts. All libraries run on one thread.
"""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

from strongsuit.core.compile import use_one_thread  # noqa: E402

use_one_thread()

import torch  # noqa: E402

torch.set_num_threads(1)

FEATURES = 8
ACTIVATIONS = {"tanh": torch.nn.Tanh, "relu": torch.nn.ReLU}


def network(widths: tuple[int, ...], activation: str) -> torch.nn.Module:
    """The PyTorch network FEATURES -> widths -> 1."""
    layers: list[torch.nn.Module] = []
    for into, out in zip((FEATURES, *widths), widths, strict=False):
        layers += [torch.nn.Linear(into, out), ACTIVATIONS[activation]()]
    return torch.nn.Sequential(*layers, torch.nn.Linear(widths[-1], 1))


def cpu_seconds(run: Callable[[], object]) -> float:
    """CPU seconds of one call, all threads of the process together."""
    began = time.process_time()
    run()
    return time.process_time() - began


def least(rivals: list[Callable[[], object]], *, repeats: int) -> list[float]:
    """The least CPU seconds of each, after a first call of each that is not counted, in interleaved repeats."""
    for run in rivals:
        run()
    found = [[cpu_seconds(run) for run in rivals] for _ in range(repeats)]
    return [min(column) for column in zip(*found, strict=True)]


def peak_gflops() -> float:
    """The floor of a trainer: GFLOP/s of the best large float32 matrix product here, of PyTorch's and NumPy's."""
    import numpy as np

    size = 1024
    a = np.random.default_rng(0).normal(size=(size, size)).astype(np.float32)
    tensor = torch.tensor(a)
    return 2e-9 * size**3 / min(least([lambda: a @ a, lambda: tensor @ tensor], repeats=8))


def machine() -> dict[str, str | float | None]:
    """The processor and the versions a figure belongs to."""
    import jax

    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return {
        "processor": names[0] if names else platform.processor(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "jax": jax.__version__,
        "torch": torch.__version__,
    }


def show(title: str, rows: list[dict]) -> None:
    """The rows as a Markdown table."""
    print(f"\n{title}\n")
    names = list(rows[0])
    print("| " + " | ".join(names) + " |")
    print("|" + "---|" * len(names))
    for row in rows:
        cells = [f"{value:.3g}" if isinstance(value, float) else str(value) for value in row.values()]
        print("| " + " | ".join(cells) + " |", flush=True)


def report(result: dict, path: str | None) -> None:
    """The result as JSON: to a file, or as the last line of the output."""
    if path:
        Path(path).write_text(json.dumps(result, indent=1) + "\n")
    else:
        print("\n" + json.dumps(result))
