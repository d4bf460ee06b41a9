"""What `strongsuit` does without a command: its version, or the list of commands."""

from __future__ import annotations

from typing import Annotated

import typer


def root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Which model should own which rows, and which rows should be labelled next.

    Begin with: strongsuit demo
    """
    if version:
        from strongsuit import __version__

        typer.echo(f"strongsuit {__version__}")
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())
