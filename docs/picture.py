"""Draws the picture of the README: the regimes found in a simulated compression of a porous polymer.

python docs/picture.py [docs/images/porous.png]
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from sklearn.metrics import adjusted_rand_score

from strongsuit.datasets import generate
from strongsuit.partition.regimes import match
from strongsuit.plots.style import colour, legend, marker, name_axes, new_figure
from strongsuit.workflow import Settings, partition_table

WORDS = ("elastic", "plateau", "densification")
ROWS, SEED = 600, 0  # as in `strongsuit demo`


def main(path: Path) -> None:
    """Fits the demonstration's model and draws stress against strain, by the regimes found and by the true ones."""
    frame = generate("porous_elastoplastic", rows=ROWS, seed=SEED).to_frame()
    result = partition_table(frame, targets=["y"], exclude=["regime"], settings=Settings(seed=SEED))
    figure, axes = new_figure(9.0, 3.6, columns=2, sharey=True)
    true = np.unique(frame["regime"], return_inverse=True)[1]
    found = result.model.labels
    named = match(true, found, int(true.max()) + 1, int(found.max()) + 1)  # the same colour for the same regime
    for ax, labels, title in zip(axes[0], (named[found], true), ("regimes found", "true regimes"), strict=True):
        for k in range(int(labels.max()) + 1):
            own = labels == k
            ax.plot(frame["strain"][own], frame["y"][own], marker(k), color=colour(k), markersize=4, alpha=0.7,
                    markeredgewidth=0, linestyle="none", label=WORDS[k])  # fmt: skip
        ax.set_xscale("symlog", linthresh=0.02)
        ax.set_title(title)
        name_axes(ax, "strain", "stress" if title == "regimes found" else "")
    legend(axes[0, 0], loc="upper left")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150, bbox_inches="tight", facecolor="white")
    print(result.text)
    print(f"agreement with the true regimes: {adjusted_rand_score(true, found):.2f}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/images/porous.png"))
