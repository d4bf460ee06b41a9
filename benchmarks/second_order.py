"""A study: can second-order steps resume a committee cheaper than Adam does, also where the law jumps?

    python benchmarks/second_order.py [--nets 2x64,3x128] [--members 4] [--seeds 3] [--json FILE]

Levenberg-Marquardt in function space: with J the Jacobian of the n outputs, K = J J' is a sum over layers of
(A A' + 1) o (G G'), A the layer's inputs and G the gradients at its outputs, so J is never formed. A step solves
(K + lambda tr K / n) alpha = r on a random block of rows and adds J' alpha to the weights; it is kept if the loss of
all rows falls, and lambda follows the ratio of the gain to the gain that the linear model foretold (Nielsen 1999).

Every method goes through the same rounds, 80 to 2,080 rows by 40, begins anew whenever rows have doubled, and its
fits from scratch are the library's; only how it goes on between them differs.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, replace

import numpy as np
import rival
import trainer
from resume import COUNTS, LAWS, SHOWN, learner_of
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from strongsuit.active.committee import GROWTH
from strongsuit.core.compile import use_compile_cache
from strongsuit.core.keys import key_for, root_key
from strongsuit.core.learner import fit_one, predict_one, resume_one

LEAST_DAMPING, MOST_DAMPING = 1e-5, 1e3


@dataclass(frozen=True)
class Way:
    """How training goes on: Levenberg-Marquardt steps on blocks of rows, then steps of Adam, at a share of the rate."""

    name: str
    second: int
    block: int
    adam: int
    rate: float = 0.3


WAYS = (
    Way("Adam 300 (the library)", 0, 0, 300),
    Way("Adam 100", 0, 0, 100),
    Way("LM 4 of 512 rows", 4, 512, 0),
    Way("LM 12 of 256 rows", 12, 256, 0),
    Way("LM 4 of all rows", 4, 4096, 0),
    Way("LM 2 of 512, Adam 100", 2, 512, 100),
    Way("LM 2 of 512, Adam 100 at a tenth", 2, 512, 100, 0.1),
)


class Network:
    """A tanh network as matrices that store a unit in each row and a table's row in each column."""

    def __init__(self, layers) -> None:
        self.layers = [(np.array(weights), np.array(bias)) for weights, bias in layers]

    def inputs(self, x: np.ndarray) -> list[np.ndarray]:
        """The inputs of every layer, and the outputs last."""
        found = [x]
        for place, (weights, bias) in enumerate(self.layers):
            z = weights @ found[-1] + bias
            found.append(np.tanh(z) if place < len(self.layers) - 1 else z)
        return found

    def slopes(self, inputs: list[np.ndarray]) -> list[np.ndarray]:
        """Gradients of the output at the outputs of every layer, before its tanh."""
        found = [np.ones_like(inputs[-1])]
        for (weights, _), a in zip(self.layers[:0:-1], inputs[-2:0:-1], strict=True):
            found.append((weights.T @ found[-1]) * (1 - a * a))
        return found[::-1]

    def moved(self, inputs, slopes, alpha: np.ndarray) -> Network:
        """The network whose weights have J' alpha added."""
        pairs = zip(self.layers, inputs, slopes, strict=False)
        return Network([(W + (g * alpha) @ a.T, b + (g * alpha).sum(1, keepdims=True)) for (W, b), a, g in pairs])


def kernel(inputs: list[np.ndarray], slopes: list[np.ndarray]) -> np.ndarray:
    """K = J J', rows x rows."""
    return sum((a.T @ a + 1) * (g.T @ g) for a, g in zip(inputs, slopes, strict=False))


def second_order(layers, x: np.ndarray, y: np.ndarray, steps: int, block: int, damping: float, rng) -> tuple:
    """The layers after that many steps, the damping to go on with, and how many steps were refused."""
    net, refused, growth = Network(layers), 0, 2.0
    loss = float(np.mean((y - net.inputs(x)[-1]) ** 2))
    for _ in range(steps):
        chosen = np.sort(rng.permutation(x.shape[1])[:block])
        inputs = net.inputs(x[:, chosen])
        slopes = net.slopes(inputs)
        K, r = kernel(inputs, slopes), (y[:, chosen] - inputs[-1])[0]
        ridge = damping * np.trace(K) / len(K)
        try:
            alpha = cho_solve(cho_factor(K + ridge * np.eye(len(K), dtype=K.dtype)), r).astype(np.float32)
        except LinAlgError:
            damping, refused = min(damping * 10, MOST_DAMPING), refused + 1
            continue
        trial = net.moved(inputs, slopes, alpha)
        found = float(np.mean((y - trial.inputs(x)[-1]) ** 2))
        if found < loss:
            foretold = float(np.mean(r**2) - np.mean((r - K @ alpha) ** 2))
            ratio = (loss - found) / max(foretold, 1e-12)
            net, loss, growth = trial, found, 2.0
            damping = max(damping * max(1 / 3, 1 - (2 * ratio - 1) ** 3), LEAST_DAMPING)
        else:
            damping, growth, refused = min(damping * growth, MOST_DAMPING), growth * 2, refused + 1
    return net.layers, damping, refused


def gone_on(way: Way, learner, key, params, X, y, state: dict, rng):
    """The parameters after one round of that way."""
    if way.second:
        x, target = (np.asarray(found, np.float32).T for found in (params.scaling.inputs(X), params.scaling.targets(y)))
        layers, state["damping"], refused = second_order(
            params.layers, x, target, way.second, way.block, state.get("damping", 0.1), rng
        )
        state["refused"], state["steps"] = state.get("refused", 0) + refused, state.get("steps", 0) + way.second
        params = replace(params, layers=tuple((np.asarray(W), np.asarray(b)) for W, b in layers))
    if not way.adam:
        return params
    short = replace(learner, resume_steps=way.adam, resume_rate=way.rate)
    return resume_one(short, key, params, X, y, np.ones(len(X)))


def whole_run(way: Way, widths: tuple[int, ...], law: str, members: int, seed: int, counts=COUNTS) -> dict:
    """CPU seconds of going on, errors and the committee's spread at the row counts shown, and steps refused."""
    X, y = LAWS[law](counts[-1], seed=2 * seed)
    new, wanted = LAWS[law](4000, seed=2 * seed + 1)
    learner, rng = learner_of(widths), np.random.default_rng(seed)
    nets, begun, states = [None] * members, 0, [{} for _ in range(members)]
    seconds, found = 0.0, {}
    for n in counts:
        anew = n >= GROWTH * begun
        begun = n if anew else begun
        began = time.process_time()
        for place in range(members):
            key = key_for(root_key(seed), n, place)
            if anew:
                nets[place] = fit_one(learner, key, X[:n], y[:n], np.ones(n))
            else:
                nets[place] = gone_on(way, learner, key, nets[place], X[:n], y[:n], states[place], rng)
        seconds += 0.0 if anew else time.process_time() - began
        if n in SHOWN:
            said = np.array([predict_one(learner, net, new).mean for net in nets])
            found[n] = float(np.mean((said.mean(0) - wanted) ** 2) / wanted.var())
            found[f"spread {n}"] = float(np.mean(said.var(0)) / wanted.var())
    refused = sum(state.get("refused", 0) for state in states) / max(sum(state.get("steps", 0) for state in states), 1)
    return {"seconds": seconds, "refused": refused, **found}


def row(way: Way, net: str, law: str, members: int, seeds: int) -> dict:
    """One row of the table: means over seeds, and the error of each."""
    runs = [whole_run(way, trainer.NETS[net], law, members, seed) for seed in range(seeds)]
    errors = {f"error {n}": f"{np.mean([run[n] for run in runs]):.4f}" for n in SHOWN}
    return {
        "law": law, "net": net, "way": way.name, "going on s": float(np.median([run["seconds"] for run in runs])),
        **errors, "spread 1000": float(np.mean([run["spread 1000"] for run in runs])),
        "refused": f"{100 * np.mean([run['refused'] for run in runs]):.0f} %",
    }  # fmt: skip


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nets", default="2x64,3x128")
    parser.add_argument("--laws", default=",".join(LAWS))
    parser.add_argument("--members", type=int, default=4)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", help="file for the result")
    given = parser.parse_args()
    use_compile_cache()
    rows = []
    for net in given.nets.split(","):
        for law in given.laws.split(","):
            for way in WAYS:
                whole_run(way, trainer.NETS[net], law, 1, 0, counts=COUNTS[:2])  # compiles
                rows.append(row(way, net, law, given.members, given.seeds))
                print(rows[-1], flush=True)
    rival.show("Going on from round to round: errors over the variance of y", rows)
    rival.report({"rows": rows, "machine": rival.machine()}, given.json)


if __name__ == "__main__":
    main()
