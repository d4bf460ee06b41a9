"""How much the guard of active learning sees, and how often it errs: random rows in place of chosen ones, and clumps.

    python benchmarks/guard.py [--problems FOIL,BESS,HYDR,ROBO] [--learners network,auto] [--seeds 20] [--json FILE]

80 random rows start; so many rows are then "chosen" and as many random ones watch over them. Chosen at random, the true
log ratio of the two tracks' errors is zero: the table shows the mean estimate, its deviation over seeds, the standard
error that the guard claims, what a bootstrap over test rows alone would have claimed, and how often it falls back for
nothing. Chosen as the rows nearest to one another ("clump") it should fall back.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np
import rival

from strongsuit import recipes
from strongsuit.active import guard
from strongsuit.active.pool import ACTIVE, AUDIT, START, Pool, pool_of
from strongsuit.bench.arenas import START as STARTS
from strongsuit.core.compile import use_compile_cache
from strongsuit.core.keys import key_for, root_key
from strongsuit.datasets.simulators.problems import find_problem, simulate

SIZES = (60, 120, 240)
OFFERED = 16  # times as many rows as a clump takes are offered to it


def watched(problem, seed: int, size: int, rule: str) -> tuple[Pool, np.ndarray]:
    """A pool of start, chosen and watching rows, all labelled, and the order in which they were asked for."""
    rng = key_for(root_key(seed), "guard", problem.name).numpy()
    start, audit = (rng.uniform(-1, 1, (count, problem.d)) for count in (STARTS, max(SIZES)))
    offered = rng.uniform(-1, 1, (OFFERED * max(SIZES), problem.d))
    near = np.argsort(((offered - start[0]) ** 2).sum(1)) if rule == "clump" else np.arange(len(offered))
    X = np.vstack([start, offered[near[:size]], audit[:size]])
    role = np.repeat([START, ACTIVE, AUDIT], [len(start), size, size]).astype(np.int8)
    return replace(pool_of(X, y=simulate(problem, X)), role=role), np.arange(len(X))


def row(name: str, learner: str, rule: str, size: int, seeds: int) -> dict:
    """One row of the table."""
    problem = find_problem(name)
    model = recipes.active_network() if learner == "network" else recipes.active_learner(learner)
    found = []
    for seed in range(seeds):
        pool, order = watched(problem, seed, size, rule)
        key = key_for(root_key(seed), "check")
        found.append(guard.check(key, model, pool, order, round_=2, state=guard.TRIAL))
    theta, error = (np.array([getattr(one, part) for one in found]) for part in ("theta", "error"))
    spread, claimed = theta.std(ddof=1), error.mean()
    return {
        "problem": name, "model": learner, "rows chosen": rule, "random rows": size,
        "mean log ratio": theta.mean(), "its error": spread / len(theta) ** 0.5, "deviation": spread,
        "claimed": claimed, "deviation / bootstrap": spread / (claimed / guard.WIDER),
        "falls back": f"{sum(one.next_state == guard.RANDOM for one in found)} of {seeds}",
    }  # fmt: skip


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", default="FOIL,BESS,HYDR,ROBO")
    parser.add_argument("--learners", default="network,auto")
    parser.add_argument("--rules", default="random,clump")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--json", help="file for the result")
    given = parser.parse_args()
    use_compile_cache()
    rows = [
        row(name, learner, rule, size, given.seeds)
        for learner in given.learners.split(",")
        for name in given.problems.split(",")
        for rule in given.rules.split(",")
        for size in SIZES
    ]
    rival.show("One check of the guard", rows)
    rival.report({"rows": rows, "machine": rival.machine()}, given.json)


if __name__ == "__main__":
    main()
