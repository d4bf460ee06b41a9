"""The process that calls a Python oracle: `python -m strongsuit.campaign.callee module:function`, a job a line."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

from strongsuit.errors import OracleFailed


def main(name: str) -> int:
    """Answers jobs from the standard input until it is closed; what the function prints goes to the errors."""
    stream = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    module, _, function = name.partition(":")
    try:
        call = getattr(import_module(module), function)
    except (ImportError, AttributeError) as error:
        call, broken = None, str(error)
    for line in sys.stdin:
        answer = {"broken": broken} if call is None else answered(call, json.loads(line)["features"])
        try:
            text = json.dumps(answer)
        except (TypeError, ValueError) as error:
            text = json.dumps({"failed": f"the answer is no label: {error}", "final": True})
        stream.write(text + "\n")
        stream.flush()
    return 0


def answered(call: Callable[[dict[str, Any]], Any], features: dict[str, Any]) -> Any:
    """What the function says of a row, in the form of an answer."""
    try:
        return plain(call(features))
    except OracleFailed as error:
        return {"failed": str(error) or "no reason given", "final": error.final}
    except Exception as error:  # an oracle may fail in any way; none may end the run
        return {"failed": f"{type(error).__name__}: {error}"}


def plain(value: Any) -> Any:
    """The value in Python's own types: NumPy's numbers and arrays have a method for it."""
    if isinstance(value, dict):
        return {str(name): plain(one) for name, one in value.items()}
    return value.tolist() if hasattr(value, "tolist") else value


if __name__ == "__main__":
    sys.path.insert(0, "")  # the user's module lies in the working folder
    sys.exit(main(sys.argv[1]))
