"""The cache of compiled programs: shared with the processes that a command starts, and no run fails for want of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ASKED = """
import os, sys
from strongsuit.core.compile import use_compile_cache
print(use_compile_cache(), "jax" in sys.modules, os.environ.get("JAX_COMPILATION_CACHE_DIR"))
import jax
print(jax.config.jax_compilation_cache_dir)
"""


def asked(monkeypatch: pytest.MonkeyPatch, cache: Path) -> list[str]:
    monkeypatch.setenv("STRONGSUIT_CACHE", str(cache))
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR", raising=False)
    return subprocess.run([sys.executable, "-c", ASKED], capture_output=True, text=True, check=True).stdout.splitlines()


def test_jax_finds_the_folder_when_it_is_loaded_later(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "cache" / "jax"
    assert asked(monkeypatch, tmp_path / "cache") == [f"True False {folder}", str(folder)]
    assert folder.is_dir()


def test_without_a_folder_each_process_compiles_anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert asked(monkeypatch, tmp_path / "file") == ["False False None", "None"]


def test_a_partition_leaves_its_programs_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STRONGSUIT_CACHE", str(tmp_path / "cache"))
    command = [sys.executable, "-c", "import sys; from strongsuit.cli import main; sys.exit(main(sys.argv[1:]))"]
    table = tmp_path / "wave.csv"
    words = ["generate", "wave_climb", "--rows", "80", "--out", str(table)]
    subprocess.run([*command, *words], check=True, capture_output=True)
    words = ["partition", str(table), "--target", "y", "--exclude", "regime", "--learner", "mlp", "--restarts", "1"]
    subprocess.run([*command, *words], check=True, capture_output=True)
    assert any((tmp_path / "cache" / "jax").iterdir())
