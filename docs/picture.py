"""Draws the picture of the README: the regimes found in a simulated compression of a porous polymer.

python docs/picture.py [docs/images/porous.png]
"""

from __future__ import annotations

import sys
from pathlib import Path

from strongsuit.datasets import generate
from strongsuit.partition.describe import describe
from strongsuit.plots import draw_map
from strongsuit.workflow import Settings, partition_table

ROWS, SEED = 600, 0  # as in `strongsuit demo`


def main(path: Path) -> None:
    """Fits the demonstration's model and saves its map."""
    table = generate("porous_elastoplastic", rows=ROWS, seed=SEED)
    frame = table.to_frame()
    result = partition_table(frame, targets=["y"], exclude=["regime"], settings=Settings(seed=SEED))
    X = frame.drop(columns=["y", "regime"])
    described = describe(result.model, X.to_numpy(float), frame[["y"]].to_numpy(), tuple(X.columns), targets=("y",))
    figure = draw_map(result.model, described, X.to_numpy(float), frame[["y"]].to_numpy())
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150, bbox_inches="tight")
    print(result.text)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/images/porous.png"))
