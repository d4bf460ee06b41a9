"""How much each strategy should count, learned by gradient from ranks and rewards of labelled rows.

What SearchNet of AutoAL (arXiv 2410.13853) is meant to do. Its released form has no gradient: a sigmoid of slope 1e11
is flat at every row in double precision. Here selection is soft with an exact count, strategies speak by ranks, and
equal weights, that is the mean rank, are both the start and what the weights are pulled towards.

Shapes: B searches side by side, each on some of the F folds; c rows a fold, padded; K strategies; q features of a row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

STEPS, RATE = 75, 0.1  # of Adam: more steps move a few hundredths of the weight
AFRESH = 15  # steps after which rewards that depend on what is taken are told anew
PULL = 0.5  # times the divergence of the weights from equal ones
HOT, COLD = 1.0, 0.1  # temperature, in standard deviations of the scores, at the first and the last step
EVEN = float(np.log(np.e - 1.0))  # softplus of it is 1
HIDDEN, SHRINK = 16, 1e-2  # of weights that depend on the row
BLENDS = (0.0, 0.25, 0.5, 0.75, 1.0)
_ADAM = (0.9, 0.999, 1e-8)


@dataclass(frozen=True)
class Lesson:
    """What is learned from: `ranks` (F, c, K) in [0, 1] of labelled rows in the eyes of strategies that did not see
    their labels, a `reward` (F, c) for each row, `real` (F, c) false where there is no row, and the number `take` (F,)
    of rows that a batch takes of each fold. `features` (F, c, q) are looked at only by weights that depend on the row.
    `again(f, taken)` tells the rewards of the rows of fold f anew when each is taken so far, where they depend on it.
    """

    ranks: np.ndarray
    reward: np.ndarray
    real: np.ndarray
    take: np.ndarray
    features: np.ndarray | None = None
    again: Callable[[int, np.ndarray], np.ndarray] | None = None

    @property
    def share(self) -> float:
        """The share of the rows that a batch takes."""
        return float(self.take.sum() / self.real.sum())

    @cached_property
    def centred(self) -> np.ndarray:
        """The ranks (F, c, K) less the one that a batch just reaches."""
        return self.ranks - (1.0 - self.share)


@dataclass(frozen=True)
class Weights:
    """Weights of B searches: `even` (B, K) before softplus, and what a row's features add: `out` (B, K, h) times
    tanh(`within` (B, h, q) features). `gradient` (B,): the norm of the first gradient."""

    even: np.ndarray
    out: np.ndarray | None = None
    within: np.ndarray | None = None
    gradient: np.ndarray | None = None

    def of(self, features: np.ndarray | None) -> np.ndarray:
        """The weights of all rows: (B, 1, 1, K), or (B, F, c, K) where they depend on the row."""
        lifted = self.even[:, None, None] + EVEN
        return _softplus(lifted if self.out is None else lifted + self.hidden(features) @ self._out)

    def hidden(self, features: np.ndarray) -> np.ndarray:
        """The hidden units (B, F, c, h) of all rows."""
        return np.tanh(features @ np.swapaxes(self.within, 1, 2)[:, None])

    @property
    def _out(self) -> np.ndarray:
        return np.swapaxes(self.out, 1, 2)[:, None]

    def shares(self) -> np.ndarray:
        """Those (B, K) that hold for all rows, summing to 1."""
        own = _softplus(self.even + EVEN)
        return own / own.sum(1, keepdims=True)

    def one(self, search: int) -> Weights:
        """Those of one search alone."""
        return Weights(
            *(None if part is None else part[search : search + 1] for part in (self.even, self.out, self.within))
        )


@dataclass(frozen=True)
class Learned:
    """Weights (K,) that sum to 1: those learned, blended with equal ones by `blend`; `gains` (F,) the mean reward of
    the rows taken over that of the mean rank; `gradient` the norm of the first gradient; `reason` says why the search
    was not used, "" if it was. `by_row` are weights that depend on the row and have the share as their mean; see
    `mixed_by_row`."""

    share: np.ndarray
    blend: float
    gains: np.ndarray
    gradient: float
    reason: str = ""
    by_row: Weights | None = None


def learn(
    lesson: Lesson, used: np.ndarray, *, steps: int = STEPS, pull: float = PULL, draws: np.ndarray | None = None
) -> Weights:
    """The weights of B searches, each on the folds that `used` (B, F) marks, after `steps` of Adam from equal ones.
    `draws` (h, q) are first weights on the features, which make the strategies' weights depend on the row."""
    B, K = len(used), lesson.ranks.shape[-1]
    found = [np.zeros((B, K))]
    if draws is not None:
        found += [np.zeros((B, K, len(draws))), np.tile(draws, (B, 1, 1))]
    moments = [(np.zeros_like(one), np.zeros_like(one)) for one in found]
    first, reward, near = np.zeros(B), lesson.reward, None
    for step in range(steps):
        heat, now = HOT * (COLD / HOT) ** (step / max(1, steps - 1)), Weights(*found)
        if lesson.again is not None and step % AFRESH == 0:
            reward = _afresh(lesson, used, now, heat)
        _, slopes, near = _at(lesson, used, now, heat, pull, reward, near)
        if step == 0:
            first = np.sqrt(sum((slope.reshape(B, -1) ** 2).sum(1) for slope in slopes))
        for place, slope in enumerate(slopes):
            found[place], moments[place] = _adam(found[place], slope, moments[place], step + 1)
    even, *rest = found
    return Weights(even, *(rest or (None, None)), first)


def loss_and_slopes(
    lesson: Lesson, used: np.ndarray, weights: Weights, *, heat: float, pull: float
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Minus the mean reward (B,) of the rows that are softly taken, plus the pull towards equal weights; and its
    gradient by `even`, and by `out` and `within` where there are these. Neither the temperature nor the reward is
    differentiated."""
    return _at(lesson, used, weights, heat, pull, lesson.reward, None)[:2]


def _at(
    lesson: Lesson, used: np.ndarray, weights: Weights, heat: float, pull: float, reward: np.ndarray, near
) -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:
    """The same at rewards (F, c) or (B, F, c), and the thresholds (B, F) of the rows taken, found from those `near`
    them."""
    from strongsuit.active.search.cuts import through

    W, K = weights.of(lesson.features), lesson.ranks.shape[-1]
    seen = used[:, :, None] & lesson.real  # (B, F, c)
    scores = _scores(lesson, W)
    tau = heat * _spread(scores, seen)
    taken, near = _cut(scores, seen, lesson.take, tau, near)
    count = (used * lesson.take).sum(1)
    q = _mean_shares(W, seen)
    loss = -(taken * reward).sum((1, 2)) / count + pull * (q * np.log(q * K)).sum(1)
    by_score = through(-reward / count[:, None, None], taken, tau)
    return loss + _shrunk(weights), _through_softplus(by_score, pull, W, q, seen, weights, lesson), near


def _scores(lesson: Lesson, W: np.ndarray) -> np.ndarray:
    """The scores (B, F, c) of all rows by weights (B, 1, 1, K) or (B, F, c, K)."""
    if W.shape[1] == 1:
        flat = lesson.centred.reshape(-1, W.shape[-1])
        return (W[:, 0, 0] @ flat.T).reshape(len(W), *lesson.reward.shape)
    return (W * lesson.centred).sum(-1)


def _afresh(lesson: Lesson, used: np.ndarray, weights: Weights, heat: float) -> np.ndarray:
    """The rewards (B, F, c) anew, of the folds that each search uses, at how far it takes each row."""
    scores = _scores(lesson, weights.of(lesson.features))
    seen = used[:, :, None] & lesson.real
    taken = soft_take(scores, seen, lesson.take, heat * _spread(scores, seen))
    found = np.zeros(taken.shape)
    for search, fold in zip(*np.nonzero(used), strict=True):
        real = lesson.real[fold]
        found[search, fold, real] = lesson.again(fold, taken[search, fold, real])
    return found


def soft_take(scores: np.ndarray, seen: np.ndarray, take: np.ndarray, tau: np.ndarray) -> np.ndarray:
    """How far (B, F, c) each row is taken, between 0 and 1: a sigmoid about a threshold by which the rows seen of each
    fold sum to its count."""
    return _cut(scores, seen, take, tau, None)[0]


def _cut(
    scores: np.ndarray, seen: np.ndarray, take: np.ndarray, tau: np.ndarray, near: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """The same and the thresholds (B, F), found from thresholds `near` these or from where a hard choice would cut."""
    from strongsuit.active.search.cuts import cut

    return cut(scores, seen, take, tau, _hard_cut(scores, seen, take) if near is None else near)


def _hard_cut(scores: np.ndarray, seen: np.ndarray, take: np.ndarray) -> np.ndarray:
    """The middle (B, F) between the last row that a hard choice takes of each fold and the first that it leaves."""
    ordered = np.sort(np.where(seen, scores, -np.inf), axis=-1)[..., ::-1]
    ends = ordered[:, np.arange(len(take))[:, None], np.stack([take - 1, take], 1)]
    return np.where(np.isfinite(ends).all(-1), ends.mean(-1), 0.0)


def blended(lesson: Lesson, *, steps: int = STEPS, pull: float = PULL, draws: np.ndarray | None = None) -> Learned:
    """Weights learned on all folds, blended with equal ones as far as they prove better than the mean rank on folds
    that took no part: the smallest blend whose mean gain is within a standard error of the best one's."""
    folds, K = lesson.reward.shape[0], lesson.ranks.shape[-1]
    used = np.vstack([np.ones(folds, bool), ~np.eye(folds, dtype=bool)])
    found = learn(lesson, used, steps=steps, pull=pull, draws=draws)
    whole, *apart = (found.one(search) for search in range(folds + 1))
    gains = np.array(
        [[gain(lesson, f, _shares(lesson, f, one, blend)) for blend in BLENDS] for f, one in enumerate(apart)]
    )
    mean, error = gains.mean(0), gains.std(0, ddof=1) / folds**0.5
    best = int(np.argmax(mean))
    # A gain in one fold alone is exactly its own standard error: rounding must not decide whether that is enough.
    chosen = int(np.flatnonzero(mean >= mean[best] - error[best] * (1.0 + 1e-9))[0])
    reason = "no_gain_over_rank_average" if BLENDS[chosen] == 0.0 and K > 1 else ""
    share = _mixed(_mean_shares(whole.of(lesson.features), lesson.real[None])[0], BLENDS[chosen])
    by_row = whole if draws is not None and BLENDS[chosen] > 0.0 else None
    return Learned(share, BLENDS[chosen], gains[:, chosen], float(found.gradient[0]), reason, by_row)


def gain(lesson: Lesson, fold: int, weights: np.ndarray) -> float:
    """The mean reward of the rows that weights (K,), or (c, K) of each row, take of a fold, over that of the rows which
    the mean rank takes."""
    ranks, count = lesson.ranks[fold][lesson.real[fold]], int(lesson.take[fold])
    ours, even = (_best(score, count) for score in (weighted(ranks, weights, lesson.share), ranks.mean(1)))
    return _worth(lesson, fold, ours) - _worth(lesson, fold, even)


def weighted(ranks: np.ndarray, weights: np.ndarray, share: float) -> np.ndarray:
    """The scores (n,) of rows with these ranks (n, K): weighted sums, in which ranks that a batch of this share of the
    rows would not reach count against a row if its weights are its own."""
    return ranks @ weights if weights.ndim == 1 else ((ranks - (1.0 - share)) * weights).sum(1)


def _worth(lesson: Lesson, fold: int, picks: np.ndarray) -> float:
    """The mean reward of rows of a fold; where it depends on what is taken, that along the way from none to these, by
    the trapezoid rule."""
    reward = lesson.reward[fold][lesson.real[fold]]
    if lesson.again is not None:
        taken = np.zeros(len(reward))
        taken[picks] = 1.0
        reward = 0.5 * (reward + lesson.again(fold, taken))
    return float(reward[picks].mean())


def _shares(lesson: Lesson, fold: int, weights: Weights, blend: float) -> np.ndarray:
    """The blended weights (K,) of one search for a fold's rows, or (c, K) where they depend on the row."""
    if weights.out is None:
        return _mixed(weights.shares()[0], blend)
    return mixed_by_row(weights, lesson.features[fold][lesson.real[fold]], blend)


def mixed_by_row(weights: Weights, features: np.ndarray, blend: float) -> np.ndarray:
    """Weights (n, K) that depend on the features (n, q) of the rows, of mean sum 1, blended with equal ones."""
    W = weights.of(features[None])[0, 0]
    return blend * W / W.sum(1).mean() + (1.0 - blend) / W.shape[1]


def _best(score: np.ndarray, count: int) -> np.ndarray:
    return np.argsort(-score, kind="stable")[:count]


def _mixed(share: np.ndarray, blend: float) -> np.ndarray:
    return blend * share + (1.0 - blend) / len(share)


def _spread(scores: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """The temperature's unit (B,): the deviation of the scores of the rows seen, 1 where they are all alike."""
    from strongsuit.active.search.cuts import spread

    return spread(scores, seen)


def _mean_shares(W: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """The mean (B, K) over the rows seen of each strategy's share of the weights."""
    share = W / W.sum(-1, keepdims=True)
    if W.shape[1] == 1:
        return share[:, 0, 0]
    return (share * seen[..., None]).sum((1, 2)) / seen.sum((1, 2))[:, None]


def _through_softplus(by_score, pull: float, W, q, seen, weights: Weights, lesson: Lesson) -> list[np.ndarray]:
    """The gradient by the parameters, from that by the scores of all rows and the pull on their mean shares."""
    total, by_share = W.sum(-1, keepdims=True), (np.log(q * q.shape[1]) + 1.0)[:, None, None]
    pulled = pull * (by_share - (W / total * by_share).sum(-1, keepdims=True)) / total
    bend = -np.expm1(-W)  # the derivative of softplus is 1 - exp(-softplus)
    if weights.out is None:
        by_weight = by_score.reshape(len(W), -1) @ lesson.centred.reshape(-1, q.shape[1])
        return [(by_weight + pulled[:, 0, 0]) * bend[:, 0, 0]]
    rows = seen / seen.sum((1, 2), keepdims=True)
    inner = (by_score[..., None] * lesson.centred + pulled * rows[..., None]) * bend
    hidden = weights.hidden(lesson.features)
    out = np.einsum("bfck,bfch->bkh", inner, hidden) + 2.0 * SHRINK * weights.out
    within = np.einsum("bfch,fcq->bhq", (inner @ weights.out[:, None]) * (1.0 - hidden**2), lesson.features)
    return [inner.sum((1, 2)), out, within]


def _shrunk(weights: Weights) -> np.ndarray | float:
    return 0.0 if weights.out is None else SHRINK * (weights.out**2).sum((1, 2))


def _adam(value: np.ndarray, slope: np.ndarray, moments, step: int) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    first, second, least = _ADAM
    m, v = first * moments[0] + (1 - first) * slope, second * moments[1] + (1 - second) * slope**2
    return value - RATE * (m / (1 - first**step)) / (np.sqrt(v / (1 - second**step)) + least), (m, v)


def _softplus(value: np.ndarray) -> np.ndarray:
    return np.logaddexp(0.0, value)
