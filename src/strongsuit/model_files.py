"""A partitioned model as a directory: `manifest.json`, `arrays.safetensors`, `parts/*.skops`.

No pickle anywhere. The manifest is a tree of plain values; frozen dataclasses are named in it and
rebuilt only if their name is in the list below; arrays are safetensors; scikit-learn parts are
skops files whose types must all be scikit-learn's, NumPy's or SciPy's.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from dataclasses import dataclass, fields, is_dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from strongsuit.datasets.encoding import Encoder
from strongsuit.errors import InputError, StoreError

FORMAT = 1
# dataclass name -> module: what a model directory may rebuild
VALUES = {
    "Partitioned": "strongsuit.partition.discover",
    "Scale": "strongsuit.partition.discover",
    "Losses": "strongsuit.partition.discover",
    "Cost": "strongsuit.partition.discover",
    "Config": "strongsuit.partition.values",
    "Model": "strongsuit.partition.values",
    "Pipeline": "strongsuit.partition.pipeline",
    "Verdict": "strongsuit.partition.guard",
    "RegimeVerdict": "strongsuit.partition.guard",
    "Boundary": "strongsuit.partition.boundary",
    "Settings": "strongsuit.partition.boundary_search",
    "Far": "strongsuit.partition.routing",
    "Ridge": "strongsuit.learners.ridge",
    "MLP": "strongsuit.learners.mlp",
    "MLPParams": "strongsuit.learners.mlp",
    "Scaling": "strongsuit.core.scaling",
    "GP": "strongsuit.learners.gp",
    "External": "strongsuit.learners.external",
    "ExternalParams": "strongsuit.learners.external",
}
# not stored: the record of the search (it is in the report), an optimiser's state, and training rows
LEFT_OUT = {"Partitioned": ("search", "held_out"), "MLPParams": ("adam", "decay"), "ExternalParams": ("rows",)}
TRUSTED = ("sklearn.", "numpy.", "scipy.", "builtins.", "collections.")


@dataclass(frozen=True)
class SavedModel:
    """What predicting needs: the model, the encoder of its features, and the names of its targets."""

    model: Any
    encoder: Encoder
    targets: tuple[str, ...]
    facts: dict[str, Any]


def save(saved: SavedModel, folder: str | Path, *, extra: dict[str, str] | None = None) -> Path:
    """The folder, complete or not there at all: it is written beside its place and renamed.

    `extra` maps file names to texts that belong to the model, such as its report.
    """
    folder = Path(folder)
    if folder.exists() and not (folder / "manifest.json").exists() and any(folder.iterdir()):
        raise InputError(f"--out {folder} is a folder with other things in it; name a new folder")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        try:
            _write(saved, draft, extra or {})
            _swap(draft, folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    except OSError as error:
        raise StoreError(f"the model could not be written to {folder}: {error}") from error
    return folder


def _swap(draft: Path, folder: Path) -> None:
    """Puts the draft in the folder's place; an older model there goes only after the new one is complete."""
    draft.chmod(0o755)
    if not folder.exists():
        os.replace(draft, folder)
        return
    old = folder.with_name(f".{folder.name}-old-{os.getpid()}")
    os.replace(folder, old)
    os.replace(draft, folder)
    shutil.rmtree(old, ignore_errors=True)


def _write(saved: SavedModel, folder: Path, extra: dict[str, str]) -> None:
    from safetensors.numpy import save_file

    packer = _Packer(folder)
    tree = packer.pack(saved.model)
    save_file(packer.arrays, folder / "arrays.safetensors")
    (folder / "arrays.safetensors").chmod(0o644)
    manifest = {
        "format": FORMAT,
        "versions": _versions(),
        "targets": list(saved.targets),
        "encoder": json.loads(saved.encoder.to_json()),
        "facts": saved.facts,
        "model": tree,
    }
    for name, text in extra.items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    return {name: version(name) for name in ("strongsuit", "numpy", "scikit-learn")}


def load(folder: str | Path) -> SavedModel:
    """The model in a folder; InputError if there is none, or if it holds a type it should not."""
    folder = Path(folder)
    path = folder / "manifest.json"
    if not path.is_file():
        raise InputError(f"{folder} holds no model (no manifest.json); name a folder that `partition --out` wrote")
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        if manifest.get("format") != FORMAT:
            raise InputError(f"{folder} has model format {manifest.get('format')!r}; this version reads {FORMAT}")
        model = _Unpacker(folder).unpack(manifest["model"])
        encoder = Encoder.from_json(json.dumps(manifest["encoder"]))
        return SavedModel(model, encoder, tuple(manifest["targets"]), manifest["facts"])
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"{folder} is damaged or not a model: {type(error).__name__}: {error}") from error


class _Packer:
    """Takes a value apart: plain tree, arrays, scikit-learn parts."""

    def __init__(self, folder: Path):
        self.folder, self.arrays, self.parts = folder, {}, 0

    def pack(self, value: Any) -> Any:
        if value is None or isinstance(value, (bool, str)):
            return value
        if isinstance(value, (int, float)):
            return value if np.isfinite(value) else {"float": repr(value)}
        if isinstance(value, np.generic):
            return self.pack(value.item())
        if isinstance(value, (list, tuple)):
            return {"items": [self.pack(v) for v in value], "tuple": isinstance(value, tuple)}
        if isinstance(value, dict):
            return {"dict": {str(k): self.pack(v) for k, v in value.items()}}
        if is_dataclass(value):
            return self._pack_value(value)
        if hasattr(value, "get_params") and hasattr(value, "fit"):
            return self._pack_part(value)
        return self._pack_array(np.asarray(value))

    def _pack_value(self, value: Any) -> Any:
        name = type(value).__name__
        if name not in VALUES:
            raise InputError(f"a model that holds a {name} cannot be stored; use one of the named learners")
        left_out = LEFT_OUT.get(name, ())
        kept = {f.name: self.pack(getattr(value, f.name)) for f in fields(value) if f.name not in left_out}
        return {"value": name, "fields": kept}

    def _pack_array(self, array: np.ndarray) -> Any:
        if array.dtype.kind not in "biuf":
            return {"strings": array.astype(str).tolist()}
        name = f"a{len(self.arrays)}"
        self.arrays[name] = np.array(array, order="C")  # a copy: safetensors stores no strides
        return {"array": name}

    def _pack_part(self, part: Any) -> Any:
        import skops.io

        (self.folder / "parts").mkdir(exist_ok=True)
        name = f"{self.parts}.skops"
        self.parts += 1
        skops.io.dump(part, self.folder / "parts" / name)
        return {"part": name}


class _Unpacker:
    """Puts a value together again."""

    def __init__(self, folder: Path):
        from safetensors.numpy import load_file

        self.folder = folder
        self.arrays = load_file(folder / "arrays.safetensors")

    def unpack(self, tree: Any) -> Any:
        if not isinstance(tree, dict):
            return tree
        if "float" in tree:
            return float(tree["float"])
        if "items" in tree:
            items = [self.unpack(v) for v in tree["items"]]
            return tuple(items) if tree["tuple"] else items
        if "dict" in tree:
            return {k: self.unpack(v) for k, v in tree["dict"].items()}
        if "strings" in tree:
            return np.array(tree["strings"])
        if "array" in tree:
            return self.arrays[tree["array"]]
        return self._unpack_part(tree["part"]) if "part" in tree else self._unpack_value(tree)

    def _unpack_value(self, tree: dict[str, Any]) -> Any:
        name = tree["value"]
        if name not in VALUES:
            raise InputError(f"the model holds an unknown value {name!r}")
        kind = getattr(import_module(VALUES[name]), name)
        given = {k: self.unpack(v) for k, v in tree["fields"].items()}
        return kind(**given, **dict.fromkeys(LEFT_OUT.get(name, ())))

    def _unpack_part(self, name: str) -> Any:
        import skops.io

        path = self.folder / "parts" / Path(name).name
        unknown = skops.io.get_untrusted_types(file=path)
        foreign = [t for t in unknown if not t.startswith(TRUSTED)]
        if foreign:
            raise InputError(f"{path} holds types that are not scikit-learn's: {', '.join(foreign)}")
        return skops.io.load(path, trusted=unknown)
