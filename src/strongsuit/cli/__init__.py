"""The command line: an app built from the table of commands; every error becomes a sentence and a code.

Exit codes: 0 done, 2 usage or a missing optional package, 3 rejected input or mismatch, 4 nothing to ask, 5 another
pool, 6 trouble with a store or another server, 130 interrupted, 1 a defect of Strongsuit itself.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from strongsuit.errors import (
    InputError,
    MissingDependency,
    NothingToAsk,
    PoolMismatch,
    ServiceError,
    StoreError,
    StrongsuitError,
)

# command -> (module, attribute): a function, or a Typer app for a command with commands of its own
COMMANDS = {
    "demo": ("strongsuit.cli.demo", "demo"),
    "partition": ("strongsuit.cli.partition", "partition"),
    "predict": ("strongsuit.cli.predict", "predict"),
    "suggest": ("strongsuit.cli.suggest", "suggest"),
    "strategies": ("strongsuit.cli.suggest", "strategies"),
    "generate": ("strongsuit.cli.data", "generate"),
    "datasets": ("strongsuit.cli.data", "datasets"),
    "bench": ("strongsuit.cli.bench", "bench"),
    "campaign": ("strongsuit.cli.campaign", "campaign"),
    "store": ("strongsuit.cli.store", "store"),
}
# The first that fits: a pool mismatch is an input error too.
EXIT_CODES: dict[type[StrongsuitError], int] = {
    PoolMismatch: 5,
    InputError: 3,
    NothingToAsk: 4,
    StoreError: 6,
    ServiceError: 6,
    MissingDependency: 2,
}
USAGE, DEFECT, INTERRUPTED = 2, 1, 130
DEBUG_VARIABLE = "STRONGSUIT_DEBUG"


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code of the command line `arguments` (default: of this process)."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    import typer

    from strongsuit.cli.interrupts import interrupts_kept

    try:
        with interrupts_kept():
            code = build_app(given)(args=given, prog_name="strongsuit", standalone_mode=False)
    except StrongsuitError as error:
        _show_traceback(error)
        return _say(type(error).__name__, str(error), _code_of(error), given)
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except Exception as error:
        return _fail_otherwise(error, given)
    if code == INTERRUPTED:
        return _say("interrupted", "Interrupted; nothing was left half written.", INTERRUPTED, given)
    return code if isinstance(code, int) else 0


def build_app(arguments: Sequence[str] = ()) -> Any:
    """The Typer app; if `arguments` name a command only its module is loaded, so that each starts fast."""
    import typer

    from strongsuit.cli.root import root

    app = typer.Typer(add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False)
    app.callback(invoke_without_command=True)(root)
    asked = next((word for word in arguments if not word.startswith("-")), None)
    for name in [asked] if asked in COMMANDS else COMMANDS:
        _register(app, name)
    return app


def _register(app: Any, name: str) -> None:
    import typer

    module, attribute = COMMANDS[name]
    if find_spec(module) is None:
        return
    command = getattr(import_module(module), attribute)
    if isinstance(command, typer.Typer):
        app.add_typer(command, name=name)
    else:
        app.command(name)(command)


def _code_of(error: StrongsuitError) -> int:
    return next((code for kind, code in EXIT_CODES.items() if isinstance(error, kind)), DEFECT)


def _fail_otherwise(error: Exception, arguments: Sequence[str]) -> int:
    """A usage error of the parser, or a defect: an error that nobody raised on purpose."""
    if hasattr(error, "format_message"):
        command = next((word for word in arguments if word in COMMANDS), "")
        advice = f" (see: {' '.join(filter(None, ('strongsuit', command, '--help')))})"
        return _say("UsageError", error.format_message() + advice, USAGE, arguments)
    _show_traceback(error)
    advice = f"please report it with the traceback that {DEBUG_VARIABLE}=1 shows"
    return _say("Defect", f"unexpected {type(error).__name__}: {error}; {advice}", DEFECT, arguments)


def _say(kind: str, message: str, code: int, arguments: Sequence[str]) -> int:
    """Prints the error, on stdout as JSON if that was asked for; returns the code."""
    from rich.console import Console

    Console(stderr=True, soft_wrap=True, highlight=False).print("Error:", message, style="red", markup=False)
    if "--json" in arguments:
        sys.stdout.write(json.dumps({"error": {"kind": kind, "message": message, "exit_code": code}}) + "\n")
    return code


def _show_traceback(error: BaseException) -> None:
    """Prints where the error arose, if the environment asks for it."""
    if os.environ.get(DEBUG_VARIABLE, "") in ("", "0"):
        return
    import traceback

    traceback.print_exception(error)
