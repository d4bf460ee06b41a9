"""The one gate for optional packages."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from strongsuit.errors import MissingDependency


def require(name: str, *, extra: str) -> ModuleType:
    """The module `name`, or MissingDependency that names the extra which brings it."""
    try:
        return import_module(name)
    except ImportError as error:
        message = f"{name} is needed here and is not installed: pip install 'strongsuit[{extra}]'"
        raise MissingDependency(message) from error
