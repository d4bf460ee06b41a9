"""What every test shares: reproducible Hypothesis runs, caches inside the clone, the folder of real data."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent

# Before anything loads JAX: one thread (a process a core runs beside this one), compiled programs kept.
os.environ.setdefault("STRONGSUIT_CACHE", str(ROOT / ".cache"))
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(Path(os.environ["STRONGSUIT_CACHE"]) / "jax"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
_ONE_THREAD = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
os.environ.setdefault("XLA_FLAGS", _ONE_THREAD)
os.environ.setdefault("MPLBACKEND", "Agg")

# The same examples on every machine; no deadline, since other processes share the cores.
settings.register_profile("strongsuit", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("strongsuit")


@pytest.fixture
def data_folder() -> Path:
    """The folder of real data that STRONGSUIT_DATA names; the test is skipped without it."""
    folder = os.environ.get("STRONGSUIT_DATA")
    if not folder:
        pytest.skip("needs real data: set STRONGSUIT_DATA to their folder")
    return Path(folder)


@pytest.fixture
def postgres_url() -> Iterator[str]:
    """A PostgreSQL URL with a schema of its own, dropped afterwards; the test is skipped without a server."""
    server = os.environ.get("STRONGSUIT_POSTGRES")
    if not server:
        pytest.skip("needs PostgreSQL: set STRONGSUIT_POSTGRES to the URL of a server")
    from sqlalchemy import create_engine, make_url, text
    from sqlalchemy.pool import NullPool

    schema = f"test_{uuid.uuid4().hex}"
    engine = create_engine(server, poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text(f"CREATE SCHEMA {schema}"))
    made = make_url(server).update_query_dict({"options": f"-csearch_path={schema}"})
    yield made.render_as_string(hide_password=False)
    with engine.begin() as connection:
        connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))
