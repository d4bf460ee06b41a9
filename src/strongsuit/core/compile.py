"""The only jit: doors into compiled code, their trace counts, the compile cache and the platform's choices.

Nothing here loads or configures JAX on import.
"""

from __future__ import annotations

import functools
import logging
import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from strongsuit.core.arrays import register_pytrees
from strongsuit.core.folders import cache_folder

log = logging.getLogger(__name__)

_traces: Counter[str] = Counter()
_compiling = {"seconds": 0.0, "cpu": 0.0, "since": None, "listening": False}


def door(fn: Callable, *, static: tuple[int, ...] = (), name: str | None = None) -> Callable:
    """`fn` compiled once for every new combination of shapes and static (hashable) arguments.

    Each tracing is counted under `name`; see `trace_counts`. JAX is loaded at the first call.
    """
    label = name or fn.__name__

    @functools.wraps(fn)
    def counted(*arguments):
        _traces[label] += 1
        _compiling["since"] = time.process_time()
        return fn(*arguments)

    @functools.cache
    def compiled():
        return load_jax().jit(counted, static_argnums=static)

    @functools.wraps(fn)
    def enter(*arguments):
        found = compiled()(*arguments)
        if _compiling["since"] is not None:
            _compiling["cpu"] += time.process_time() - _compiling["since"]
            _compiling["since"] = None
        return found

    return enter


def load_jax() -> Any:
    """The module jax, with our pytrees registered and compile times listened to."""
    import jax

    register_pytrees()
    if not _compiling["listening"]:
        _compiling["listening"] = True
        jax.monitoring.register_event_duration_secs_listener(_hear)
    return jax


def _hear(event: str, seconds: float, **_: Any) -> None:
    """Adds up lowering and compiling; JAX reports tracing once for every nested function, so it is left out."""
    if event.endswith(("jaxpr_to_mlir_module_duration", "backend_compile_duration")):
        _compiling["seconds"] += seconds


def trace_counts() -> dict[str, int]:
    """How often each door was traced in this process: equal before and after means nothing was compiled."""
    return dict(_traces)


def compile_seconds() -> float:
    """Wall seconds spent on lowering and compiling in this process so far."""
    return float(_compiling["seconds"])


def first_call_seconds() -> float:
    """CPU seconds of this process so far in calls that compiled, from tracing to their return: what a comparison of
    CPU times leaves out. A result is not waited for, so next to no computing is among them."""
    return float(_compiling["cpu"])


def over_members(fn: Callable) -> Callable:
    """`fn` for one model turned into one for stacked models: one after another on a CPU, batched elsewhere.

    On a CPU a batched matrix product of small matrices is no faster than a loop over them, often slower.
    """
    jax = load_jax()
    if jax.default_backend() == "cpu":
        return lambda *stacked: jax.lax.map(lambda one: fn(*one), stacked)
    return jax.vmap(fn)


def take_lines(lines: Any, places: Any) -> Any:
    """Lines (b, c) of a large array (n, c) at places (b,): copied one after another on a CPU, where XLA's gather takes
    three times as long, gathered elsewhere."""
    jax = load_jax()
    if jax.default_backend() != "cpu":
        return lines[places]

    def copy(number, taken):
        line = jax.lax.dynamic_slice_in_dim(lines, places[number], 1)
        return jax.lax.dynamic_update_slice_in_dim(taken, line, number, 0)

    empty = jax.numpy.zeros((len(places), lines.shape[1]), lines.dtype)
    return jax.lax.fori_loop(0, len(places), copy, empty)


def use_compile_cache() -> bool:
    """True if compiled programs now persist in `cache_folder("jax")`, for this process and those that it starts;
    called by commands. Without a folder that can be made, each process compiles anew.

    JAX is not loaded: a run may do without it.
    """
    folder = cache_folder("jax")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        log.info("no cache of compiled programs in %s: %s", folder, error.strerror)
        return False
    settings = {
        "jax_compilation_cache_dir": str(folder),
        "jax_persistent_cache_min_compile_time_secs": 0.0,
        "jax_persistent_cache_min_entry_size_bytes": -1,
    }
    for name, value in settings.items():
        os.environ[name.upper()] = str(value)
        if "jax" in sys.modules:
            load_jax().config.update(name, value)
    return True


def use_one_thread() -> bool:
    """True if JAX will compute on one thread: a matter of its environment, so only before JAX is loaded.

    One process a core beats many threads in one process on the small matrices of this package: handing a product
    of 64 x 64 to a pool costs more than the product. PJRT_NPROC sizes the pool; the flag is for Eigen's products.
    """
    flag = "--xla_cpu_multi_thread_eigen=false"
    flags = os.environ.get("XLA_FLAGS", "")
    if flag in flags and os.environ.get("PJRT_NPROC") == "1":
        return True
    if "jax" in sys.modules:
        log.warning("JAX is loaded already; its threads stay as they are")
        return False
    os.environ["XLA_FLAGS"] = f"{flags} {flag}".strip()
    os.environ["PJRT_NPROC"] = "1"
    return True
