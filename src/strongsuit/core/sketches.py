"""Sketches: wide features in few columns whose inner products are unbiased estimates of the wide ones'.

Shapes: n rows, p wide columns, t groupings, `width` columns that come out. All are float32, and a row's sketch does not
depend on the rows beside it, so pages of rows may be sketched one after another with the same key.
"""

from __future__ import annotations

import numpy as np

from strongsuit.core.keys import Key, key_for
from strongsuit.core.ties import tie_seed

LEAST_HITS = 64  # places a row's indicators fill together: a single tree's leaves must not fall on one column
DEGREES = 5  # of freedom of the Student distribution that is the spectrum of the Matern kernel with nu = 5/2


def sketch_groups(key: Key, group: np.ndarray, share: np.ndarray, width: int) -> np.ndarray:
    """Features (n, width) whose expected inner product is the share of groupings in which two rows agree.

    group (n, t) whole numbers, share (t,) >= 0 the weights of the groupings. A count sketch of the one-hot columns,
    which are never formed (Charikar, Chen and Farach-Colton 2002; with several hits a column: Kane and Nelson 2014);
    the standard deviation of an inner product is at most about sqrt(2 / width) times the sum of the shares.
    """
    from strongsuit.core.hashing import add_groups

    group = np.ascontiguousarray(group, np.int64)
    out = np.zeros((len(group), width), np.float32)
    hits = -(-LEAST_HITS // max(1, group.shape[1]))
    add_groups(group, np.sqrt(np.asarray(share, np.float64)), hits, tie_seed(key), out)
    return out


def sketch_columns(key: Key, F: np.ndarray, width: int) -> np.ndarray:
    """Features (n, width) whose expected inner products are those of F (n, p); exactly these if p <= width.

    Columns go to random places with random signs, so sketches under other keys are independent and may be summed.
    """
    from strongsuit.core.hashing import add_columns

    p, rng = F.shape[1], key.numpy()
    sign = rng.choice(np.array([-1.0, 1.0]), p)
    place = rng.permutation(width)[:p] if p <= width else rng.integers(width, size=p)
    out = np.zeros((len(F), width), np.float32)
    add_columns(np.ascontiguousarray(F, np.float64), place, sign, out)
    return out


def matern_features(key: Key, Z: np.ndarray, length: float, width: int) -> np.ndarray:
    """Random Fourier features (n, width) of a Matern kernel with nu = 5/2 and one length in all directions of Z (n, d).

    Pairs of cosine and sine (Rahimi and Recht 2007), so that every row has norm one; an odd last column stays zero.
    Columns carry random signs, without which features under different keys would not be uncorrelated.
    """
    half = width // 2
    spread = np.sqrt(DEGREES / key_for(key, "radius").numpy().chisquare(DEGREES, half)) / length
    angle = Z @ (key_for(key, "direction").numpy().normal(size=(Z.shape[1], half)) * spread)
    out = np.zeros((len(Z), width), np.float32)
    np.cos(angle, out=out[:, :half], casting="same_kind")
    np.sin(angle, out=out[:, half : 2 * half], casting="same_kind")
    sign = key_for(key, "sign").numpy().choice(np.array([-1.0, 1.0], np.float32), width)
    out *= sign / np.float32(max(1, half) ** 0.5)
    return out
