"""Features of small images where no trained network is at hand: histograms of gradients (Dalal and Triggs, 2005)."""

from __future__ import annotations

import numpy as np

DIRECTIONS, CELL = 8, 4  # signed directions, pixels along a side of a cell
SOFT = 0.1  # added to a cell's norm: cells without any edge stay near zero


def gradient_histograms(images: np.ndarray) -> np.ndarray:
    """Features (n, p) of images (n, h, w) or (n, h, w, colours) of bytes: for each cell of 4 x 4 pixels how strong
    edges of 8 directions are, over their norm, and the mean of each colour.

    Sides are cut to whole cells. Standard histograms with signed directions and cells normalised one by one.
    """
    pixels = np.asarray(images, np.float32) / 255.0
    pixels = pixels[..., None] if pixels.ndim == 3 else pixels
    height, width = (side - side % CELL for side in pixels.shape[1:3])
    pixels = pixels[:, :height, :width]
    cells = [_cells(pixels).mean((2, 4)).reshape(len(pixels), -1)]
    grey = pixels.mean(-1)
    rows, columns = np.gradient(grey, axis=1), np.gradient(grey, axis=2)
    strength, angle = np.hypot(rows, columns), np.arctan2(rows, columns) % (2 * np.pi)
    number = np.minimum((angle * DIRECTIONS / (2 * np.pi)).astype(int), DIRECTIONS - 1)
    found = np.stack(
        [_cells(np.where(number == k, strength, 0.0)[..., None]).sum((2, 4))[..., 0] for k in range(DIRECTIONS)], -1
    )
    found /= np.linalg.norm(found, axis=-1, keepdims=True) + SOFT
    return np.hstack([found.reshape(len(pixels), -1), *cells])


def _cells(pixels: np.ndarray) -> np.ndarray:
    """Pixels (n, h, w, c) by cells: (n, h / CELL, CELL, w / CELL, CELL, c)."""
    n, h, w, c = pixels.shape
    return pixels.reshape(n, h // CELL, CELL, w // CELL, CELL, c)
