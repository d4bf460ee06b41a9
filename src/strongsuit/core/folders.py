"""Where what can be made again is kept between runs."""

from __future__ import annotations

import os
from pathlib import Path

CACHE_VARIABLE = "STRONGSUIT_CACHE"


def cache_folder(part: str) -> Path:
    """The folder of `part`: copies of public sets, pictures, compiled programs."""
    own = os.environ.get(CACHE_VARIABLE)
    shared = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return (Path(own) if own else Path(shared, "strongsuit")) / part
