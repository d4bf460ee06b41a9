"""Concrete models, each a frozen dataclass that follows `strongsuit.core.learner.Learner`."""

from __future__ import annotations

from importlib import import_module

_HOMES = {
    "MLP": "mlp",
    "BatchNormMLP": "batch_norm",
    "DropoutMLP": "dropout",
    "LossMLP": "loss_net",
    "LossClassifier": "loss_classifier",
    "LossCNN": "loss_cnn",
    "VAAL": "vaal",
    "WAAL": "waal",
    "GraphNetwork": "graph",
    "Ridge": "ridge",
    "GP": "gp",
    "Softmax": "softmax",
    "MLPClassifier": "mlp_classifier",
    "CNN": "cnn",
    "BinaryRelevance": "binary_relevance",
    "External": "external",
    "hgb": "external",
    "random_forest": "external",
}

__all__ = list(_HOMES)


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
