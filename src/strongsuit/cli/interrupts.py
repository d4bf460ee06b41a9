"""Keeps a Ctrl-C that lands where Python cannot raise it, so that every command ends when it is asked to."""

from __future__ import annotations

import sys
import threading
from _thread import interrupt_main
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

PAUSE_SECONDS = 0.05  # long enough to be out of the finaliser; a second one that swallows it is caught the same way


@contextmanager
def interrupts_kept() -> Iterator[None]:
    """Within: a `KeyboardInterrupt` that Python could only report as ignored is raised a moment later instead.

    Python drops what is raised in a finaliser or in a callback of the garbage collector (JAX has one), and a run of
    many minutes then goes on although it was interrupted. The hook cannot raise either, so another thread asks again.
    """
    reported = sys.unraisablehook
    asked: list[threading.Timer] = []

    def ask_again(ignored: Any) -> None:
        if ignored.exc_type is not KeyboardInterrupt:
            return reported(ignored)
        while True:
            try:
                asked.append(threading.Timer(PAUSE_SECONDS, interrupt_main))
                asked[-1].daemon = True
                return asked[-1].start()
            except KeyboardInterrupt:  # one asked for earlier that lands here would be dropped too
                continue

    sys.unraisablehook = ask_again
    try:
        yield
    finally:
        sys.unraisablehook = reported
        for again in asked:  # of no use to a command that has ended
            again.cancel()
