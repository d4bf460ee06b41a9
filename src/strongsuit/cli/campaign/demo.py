"""`strongsuit campaign demo`: pictures of digits and a campaign for them, to try the page with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from strongsuit.cli.campaign.create import create
from strongsuit.cli.campaign.options import DEFAULT, Json, Store, same, store_at
from strongsuit.errors import StoreError

NAME = "digits"
CLASSES = [str(digit) for digit in range(10)]
MAGNIFIED = 16  # pixels of the file along one of the scan


def demo(
    out: Annotated[Path, typer.Option(help="Folder for the pictures.")] = Path("digits"),
    store: Store = DEFAULT,
    as_json: Json = False,
) -> None:
    """Write 1,797 pictures of handwritten digits and begin a campaign to label them on the page.

    Example: strongsuit campaign demo
    """
    count = write_digits(out)
    done = f"strongsuit campaign create {NAME} --pool {out} --target digit --classes {','.join(CLASSES)}"
    if not as_json:
        typer.echo(f"{count} pictures in {out}\n$ {done}")
    create(NAME, pool=str(out), target=["digit"], classes=",".join(CLASSES), title="Handwritten digits", exists="load",
           store=store, as_json=as_json)  # fmt: skip
    if not as_json:
        serve = f"strongsuit campaign serve{same(store_at(store))}"
        typer.echo(f"Or on the page: {serve}, open the link, press the digit that you see, then Enter")


def write_digits(folder: Path) -> int:
    """How many scans of digits (scikit-learn's, Alpaydin and Kaynak 1998) now lie in the folder as pictures."""
    import numpy as np
    from PIL import Image
    from sklearn.datasets import load_digits

    from strongsuit.datasets.writing import atomic_path

    scans = (load_digits().images * 15.9375).astype(np.uint8)  # 0 to 16 as bytes
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for number, scan in enumerate(scans):
            path = folder / f"{number:04d}.png"
            if not path.exists():  # files that stay as they are keep their features
                with atomic_path(path) as draft:
                    Image.fromarray(255 - scan.repeat(MAGNIFIED, 0).repeat(MAGNIFIED, 1)).save(draft, "PNG")
    except OSError as error:
        raise StoreError(f"the pictures cannot be written to {folder}: {error.strerror or error}") from error
    return len(scans)
