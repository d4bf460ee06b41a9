"""Files that cells name: found through the pool, inside its folder of media only, and only pictures."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import NamedTuple

from strongsuit.campaign.service import Campaign
from strongsuit.web.problems import Refused

HEAD = 512  # bytes that tell the type
SVG = "image/svg+xml"
_FIRST = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"GIF87a", "image/gif"),
          (b"GIF89a", "image/gif"))  # fmt: skip


class Media(NamedTuple):
    """The bytes of a file and what they are; not `inline` ones are only downloaded, since they can hold scripts."""

    data: bytes
    type: str
    inline: bool


def media_of(campaign: Campaign, row: int, column: str, most: int) -> Media:
    """The file that the cell names. Refused if there is none inside the pool's folder, or it is no picture.

    No path comes from the client: it names a row and a column, and the pool says the rest.
    """
    folder = campaign.desk.state.settings["pool"].get("media")
    if campaign.pool is None or not folder or not 0 <= row < campaign.desk.state.rules.rows:
        raise _none()
    frame = campaign.pool.features([row])
    if column not in frame.columns:
        raise _none()
    name = frame[column].iloc[0]
    if not isinstance(name, str) or not name or "\0" in name:
        raise _none()
    return _typed(read_inside(Path(folder), name, most))


def read_inside(folder: Path, name: str, most: int) -> bytes:
    """The bytes of a regular file in the folder or below; Refused for what leaves it, also by a symbolic link."""
    try:
        root = folder.resolve(strict=True)
        path = (root / name).resolve(strict=True)
        if not path.is_relative_to(root):
            raise _none()
        # Every link is resolved: one that appears now, in place of the file, is not followed; nor is a pipe waited for.
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(path, flags), "rb") as file:
            about = os.fstat(file.fileno())
            if not stat.S_ISREG(about.st_mode):
                raise _none()
            if about.st_size > most:
                raise Refused(413, "TooLarge", f"The file is larger than {most // 2**20} MB.")
            return file.read(most)
    except (OSError, RuntimeError, ValueError) as error:  # RuntimeError: links in a circle
        raise _none() from error


def _typed(data: bytes) -> Media:
    head = data[:HEAD]
    for first, kind in _FIRST:
        if head.startswith(first):
            return Media(data, kind, True)
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return Media(data, "image/webp", True)
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"<svg") or (text.startswith((b"<?xml", b"<!DOCTYPE svg")) and b"<svg" in head):
        return Media(data, SVG, False)
    raise Refused(415, "NotAPicture", "Only PNG, JPEG, GIF and WebP pictures are shown, SVG is downloaded.")


def _none() -> Refused:
    return Refused(404, "NoMedia", "This cell names no file that may be shown.")
