"""The plan of the house, asserted: who may import whom, where jit and keys live, how long files may be."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import strongsuit
from strongsuit import cli

ROOT = Path(__file__).resolve().parent.parent
HOUSE = ROOT / "src" / "strongsuit"
MODULES = sorted(HOUSE.rglob("*.py"))
MAX_LINES = 400

_BASE = {"errors", "_optional"}
_WINGS = {"active", "partition", "specialists"}
_BELOW = {"core", "mixtures", "datasets", "executors"} | _WINGS  # all that composes models stands on
# room -> the rooms it may import besides its own; an arrow only points downward
MAY_IMPORT = {
    "errors": set(),
    "_optional": {"errors"},
    "executors": _BASE,
    "core": _BASE,
    "mixtures": _BASE | {"core"},
    "learners": _BASE | {"core", "mixtures"},
    "active": _BASE | {"core", "executors"},
    "partition": _BASE | {"core", "executors"},
    "specialists": _BASE | {"core", "executors"},
    "campaign": _BASE | {"executors"},
    "datasets": _BASE | {"core"},
    "testing": _BASE | {"core", "datasets", "campaign"},
    "estimators": _BASE | {"core", "learners", "active", "partition", "datasets", "recipes", "executors"},
    "bench": _BASE
    | {"core", "learners", "active", "partition", "datasets", "executors", "recipes", "estimators", "plots"},
    "plots": _BASE | {"core"} | _WINGS,
    "report": _BASE | {"core", "plots", "datasets"} | _WINGS,
    "recipes": _BASE | _BELOW | {"learners", "campaign"},
    "model_files": _BASE | _BELOW,
    "workflow": _BASE | _BELOW | {"recipes", "executors", "model_files", "plots", "report"},
    "suggestions": _BASE | {"core", "active", "datasets", "recipes"},
    "proposals": _BASE | _BELOW | {"recipes", "campaign", "suggestions"},
    "reproduce": _BASE | _BELOW | {"learners", "bench", "recipes", "plots"},
    "cli": _BASE
    | {"core", "datasets", "recipes", "workflow", "suggestions", "bench", "reproduce", "campaign", "plots", "web"},
    "__main__": {"cli"},
    "web": _BASE | {"recipes", "workflow", "campaign", "datasets", "plots"},
}
_WEB = {"fastapi", "uvicorn", "jinja2", "psycopg", "label_studio_sdk", "mlflow"}
_PEERS = {"cubist", "lineartree", "smt"}
OPTIONAL = _WEB | _PEERS | {"ray", "torch", "xgboost", "lightgbm", "polars"}


def room(path: Path) -> str:
    """The room of a file: its folder or module below the package, '' for the package's own __init__."""
    first = path.relative_to(HOUSE).parts[0]
    return first.removesuffix(".py").replace("__init__", "")


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(path: Path) -> set[str]:
    """Every module name that an import statement of the file names, at any depth."""
    names: set[str] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: import by the full name"
            names |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def rooms_imported(path: Path) -> set[str]:
    parts = [name.split(".") for name in imported(path) if name.split(".")[0] == "strongsuit"]
    found = {part[1] for part in parts if len(part) > 1}
    own = {entry.removesuffix(".py") for entry in (child.name for child in HOUSE.iterdir())}
    return found & own  # strongsuit.__version__ and the like are no rooms


def label(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", MODULES, ids=label)
def test_arrows_point_downward(path: Path) -> None:
    if room(path) == "":
        assert rooms_imported(path) == set(), "the package's __init__ hands names on lazily"
        return
    assert room(path) in MAY_IMPORT, f"a new room {room(path)!r}: say here whom it may import"
    upward = rooms_imported(path) - MAY_IMPORT[room(path)] - {room(path)}
    assert not upward, f"{room(path)} may not import {sorted(upward)}"


def test_wings_are_blind_to_each_other_and_the_plan_has_no_circle() -> None:
    for wing in _WINGS | {"learners"}:
        assert not MAY_IMPORT[wing] & (_WINGS | {"learners"})
    left = {name: below & MAY_IMPORT.keys() for name, below in MAY_IMPORT.items()}
    while left:
        ground = {name for name, below in left.items() if not below & left.keys()}
        assert ground, f"a circle among {sorted(left)}"
        left = {name: below for name, below in left.items() if name not in ground}


def base_of(node: ast.Attribute) -> str:
    value = node.value
    return value.id if isinstance(value, ast.Name) else value.attr if isinstance(value, ast.Attribute) else ""


@pytest.mark.parametrize("path", MODULES, ids=label)
def test_compiling_and_keys_live_at_home(path: Path) -> None:
    home = label(path).replace("\\", "/")
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Attribute) and home != "src/strongsuit/core/compile.py":
            assert node.attr not in ("jit", "pjit") or base_of(node) in ("numba", "nb"), "jit: use core.compile.door"
        if isinstance(node, ast.Attribute) and home != "src/strongsuit/core/keys.py":
            assert node.attr != "PRNGKey" and not (node.attr == "key" and base_of(node) == "random"), "core.keys"
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "jax":
            assert not {alias.name for alias in node.names} & {"jit", "pjit", "PRNGKey", "key"}


@pytest.mark.parametrize("path", MODULES, ids=label)
def test_library_manners(path: Path) -> None:
    names = {name.split(".")[0] for name in imported(path)}
    assert not names & {"pickle", "cPickle", "dill", "joblib", "cloudpickle"}, "no pickle of user files"
    if room(path) != "web":  # its door, web/server.py, asks for what its extra brings
        assert not names & OPTIONAL, "optional packages come through _optional.require"
    if room(path) in ("cli", "web", "bench", "reproduce"):
        return
    calls = [node.func for node in ast.walk(tree(path)) if isinstance(node, ast.Call)]
    assert not any(isinstance(one, ast.Name) and one.id == "print" for one in calls), "the library logs"


@pytest.mark.parametrize("path", MODULES, ids=label)
def test_every_module_says_what_it_is(path: Path) -> None:
    assert ast.get_docstring(tree(path)), "a module begins with a docstring"


@pytest.mark.parametrize("path", MODULES, ids=label)
def test_public_definitions_say_what_comes_out(path: Path) -> None:
    kinds = (ast.FunctionDef, ast.ClassDef)
    silent = [
        node.name
        for node in tree(path).body
        if isinstance(node, kinds) and not node.name.startswith("_") and not ast.get_docstring(node)
    ]
    assert not silent, f"no docstring: {silent}"


FILES = [*MODULES, *sorted(ROOT.glob("tests/**/*.py")), *sorted(ROOT.glob("benchmarks/**/*.py"))]


@pytest.mark.parametrize("path", FILES, ids=label)
def test_no_file_becomes_a_town(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= MAX_LINES, f"{lines} lines: split it"


def loaded_after(statement: str) -> set[str]:
    """The top-level modules that a fresh Python has loaded after the statement."""
    code = f"{statement}\nimport sys\nprint(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_import_is_light() -> None:
    heavy = {"jax", "numpy", "pandas", "scipy", "sklearn", "matplotlib", "pyarrow", "numba", "typer"}
    assert not loaded_after("import strongsuit, strongsuit.cli") & heavy


def test_tables_need_no_jax() -> None:
    statement = "from strongsuit.datasets import generate, read_table\ngenerate('overlap', rows=3, seed=0)"
    assert not loaded_after(statement) & {"jax", "sklearn", "matplotlib", "polars"}


@pytest.mark.skipif(find_spec("strongsuit.campaign") is None, reason="the campaign wing is not built yet")
def test_campaigns_need_no_jax() -> None:
    names = [f"strongsuit.campaign.{path.stem}" for path in HOUSE.glob("campaign/*.py") if path.stem != "__init__"]
    assert not loaded_after(f"import {', '.join(['strongsuit.campaign', *names])}") & {"jax", "numpy"}


@pytest.mark.parametrize("name", [name for name in strongsuit.__all__ if not name.startswith("_")])
def test_public_names_exist_and_are_documented(name: str) -> None:
    home = strongsuit._HOMES[name]
    if find_spec(home) is None:
        pytest.skip(f"{home} is not built yet")
    assert getattr(strongsuit, name).__doc__
    assert f"`{name}`" in (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")


def test_unknown_names_raise() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        strongsuit.nothing  # noqa: B018
    assert set(dir(strongsuit)) == set(strongsuit.__all__)


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_commands_explain_themselves_by_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    if find_spec(cli.COMMANDS[command][0]) is None:
        pytest.skip(f"{command} is not built yet")
    assert cli.main([command, "--help"]) == 0
    assert f"Example: strongsuit {command}" in " ".join(capsys.readouterr().out.split())
