"""What a batch may cost, and when the error is good enough."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from strongsuit.active.pool import AVAILABLE
from strongsuit.active.session import Batch
from strongsuit.active.stopping import Budget, Plateau, Rule, Target, Worth, any_of
from strongsuit.errors import InputError
from strongsuit.suggestions.tables import Universe


@dataclass(frozen=True)
class Limits:
    """What a batch may cost and when the error is good enough."""

    n: int
    price: float | None
    budget: float | None
    target_error: float | None
    worth: float | None
    column: str | None

    def __post_init__(self) -> None:
        """Raises InputError for numbers that are not positive and for prices given twice."""
        if self.n < 1:
            raise InputError(f"n must be at least 1, got {self.n}")
        for name in ("price", "budget", "target_error", "worth"):
            value = getattr(self, name)
            if value is not None and not 0 < value < np.inf:
                raise InputError(f"{name} must be a number above 0, got {value!r}")
        if self.column and self.price:
            raise InputError("give cost (a column of prices) or price (one for all rows), not both")
        if self.worth and not self.priced:
            raise InputError("worth is weighed against prices: give price, or cost (a column of them), too")

    @property
    def priced(self) -> bool:
        """True if rows have prices."""
        return bool(self.column or self.price)

    def prices(self, universe: Universe) -> np.ndarray:
        """(n,) the price of every row, 1 where none is asked for; labelled rows of unknown price count as free."""
        if universe.price is None:
            return np.full(len(universe.X), self.price or 1.0)
        return np.nan_to_num(universe.price)

    def spent(self, universe: Universe) -> float:
        """The price of all rows that are labelled or asked for."""
        return float(self.prices(universe)[universe.state != AVAILABLE].sum())

    def rows(self, universe: Universe) -> int:
        """How many rows to ask for: n, or fewer if the budget allows no more at the least price."""
        if self.budget is None:
            return self.n
        least = self.prices(universe)[universe.state == AVAILABLE].min()
        room = int((self.budget - self.spent(universe)) / least + 1e-9)
        if room < 1:
            unit = f"the cheapest row costs {least:.6g}" if self.priced else "labels, those asked for included"
            raise InputError(f"the budget of {self.budget:.6g} is spent: {self.spent(universe):.6g} so far, {unit}")
        return min(self.n, room)

    def affordable(self, batch: Batch, universe: Universe) -> Batch:
        """The rows of the batch up to the first that the budget cannot pay; in random order, so no kind is favoured."""
        if self.budget is None:
            return batch
        bill = np.cumsum(self.prices(universe)[batch.index])
        count = int(np.searchsorted(bill, (self.budget - self.spent(universe)) * (1 + 1e-9), side="right"))
        if not count:
            raise InputError(
                f"the first row of the batch costs {bill[0]:.6g}, {self.budget - self.spent(universe):.6g} of the "
                "budget is left: raise the budget, or take dear rows out of the pool"
            )
        parts = {name: getattr(batch, name)[:count] for name in ("index", "role", "pick", "gain")}
        return replace(batch, **parts)

    def rule(self, universe: Universe, batch: Batch) -> Rule:
        """The stopping rule: a plateau, and whatever limits were given."""
        rules: list[Rule] = [Plateau()]
        mean_price = float(self.prices(universe)[batch.index].mean())
        if self.worth is not None:
            rules = [Worth(self.worth, mean_price)]  # takes the plateau's place: it knows what a gain is worth
        if self.target_error is not None:
            # Of classes, errors are 0 or 1, and their mean is the share that is wrong.
            rules.append(Target(self.target_error, metric="mse" if universe.classifies else "rmse"))
        if self.budget is not None and not self.priced:
            rules.append(Budget(labels=int(self.budget)))
        return any_of(*rules) if len(rules) > 1 else rules[0]
