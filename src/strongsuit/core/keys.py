"""Named random keys: the one home of randomness.

A `Key` is a plain host value, so that code without JAX derives and hands on keys as cheaply as code with
it. Keys are derived by name, never by order: two draws that bear different names are independent, and adding
a third between them changes neither.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import Any

import numpy as np

from strongsuit.errors import InputError

_WORD = 0xFFFFFFFF
_SEED_LIMIT = 2**31 - 1  # scikit-learn and NumPy's legacy generators take seeds below 2**31 everywhere


@dataclass(frozen=True)
class Key:
    """A 64-bit random key, as two 32-bit words: `numpy()` and `jax()` make generators, `key_for` children."""

    words: tuple[int, int]

    def numpy(self) -> np.random.Generator:
        """A NumPy generator that always starts at the same place."""
        return np.random.default_rng(np.array(self.words, dtype=np.uint32))

    def jax(self) -> Any:
        """The JAX key with these two words (Threefry); loads JAX."""
        import jax

        return jax.random.wrap_key_data(np.array(self.words, dtype=np.uint32), impl="threefry2x32")

    def integer(self) -> int:
        """A seed in [0, 2**31 - 1), as scikit-learn's `random_state` takes it."""
        return ((self.words[0] << 32) | self.words[1]) % _SEED_LIMIT


def root_key(random_state: int | np.random.Generator | np.random.RandomState | None) -> Key:
    """The key of a user's `random_state`: the same for the same integer, fresh entropy for None.

    A generator is advanced by one draw, so that two calls with one generator give two keys.
    """
    if random_state is None:
        return _split(secrets.randbits(64))
    if isinstance(random_state, np.random.Generator):
        return _split(int(random_state.integers(2**63)))
    if isinstance(random_state, np.random.RandomState):
        return _split(int(random_state.randint(2**31 - 1)))
    if isinstance(random_state, (int, np.integer)) and not isinstance(random_state, bool):
        return _digest(b"root", str(int(random_state)).encode())
    raise InputError(f"random_state must be None, an integer or a NumPy generator, got {type(random_state).__name__}")


def key_for(key: Key, *names: str | int) -> Key:
    """The child of `key` with these names, such as `key_for(key, "fit", 3)`: strings or integers."""
    parts = [word.to_bytes(4, "big") for word in key.words]
    for name in names:
        if isinstance(name, (bool, float)) or not isinstance(name, (str, int, np.integer)):
            raise InputError(f"a key's names are strings or integers, got {name!r}")
        tag = "s" if isinstance(name, str) else "i"
        parts.append(f"{tag}{name}".encode())
    return _digest(*parts)


def _digest(*parts: bytes) -> Key:
    """The key hashed (SHA-256) from length-prefixed parts, so that ("ab", "c") and ("a", "bc") differ."""
    hasher = hashlib.sha256()
    for part in parts:
        hasher.update(len(part).to_bytes(4, "big") + part)
    return _split(int.from_bytes(hasher.digest()[:8], "big"))


def _split(value: int) -> Key:
    return Key(((value >> 32) & _WORD, value & _WORD))
