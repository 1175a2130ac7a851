"""What submissions are worth on the private part, given their cross-fitted and public scores, and how noisy these are.

Of a submission with the quality q on chips like the labelled ones, we see

    cross-fitted = q + noise of the labelled chips
    public       = q + shift + its own part of the shift + noise of the public chips
    private      = q + shift + its own part of the shift + noise of the private chips

The noise is that of a mean over so many chips, and submissions share it as far as they are right on the same chips:
its covariance is that of what a chip adds, V, over the number of chips. Qualities are spread like kappa V about an
unknown mean, and own parts of the shift like lambda V: submissions that hardly differ on any chip can hardly differ
in quality. Both are unknown; all pairs on a grid are weighed by how likely they make the scores (with half-Cauchy
priors, Gelman 2006), so that the best of many scores is not taken at its word.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

DRAWS = 20_000
SPREADS = 2.0 ** np.arange(-4, 11)  # kappa, in units of the noise of the public part
OWN_SHIFTS = np.array([0.0, *2.0 ** np.arange(-4, 5)])  # lambda, in the same
VAGUE = 1e3  # standard deviation of what is not known at all, in those of the scores
Array = NDArray[np.float64]


class Sizes(NamedTuple):
    """Numbers of chips.

    Attributes:
        labelled: behind a cross-fitted score.
        public: to predict, behind a public score.
        private: behind a private one.
    """

    labelled: int
    public: int
    private: int


@dataclass(frozen=True, eq=False)
class Known:
    """What is known of some submissions. More is better: of a metric of which less is, everything is negated.

    Attributes:
        cross_fitted: float array (num_submissions,), NaN where there is none.
        public: float array (num_submissions,), NaN where there is none.
        per_chip: float array (num_submissions, num_submissions): covariance of what a chip adds.
        sizes: numbers of chips.
    """

    cross_fitted: Array
    public: Array
    per_chip: Array
    sizes: Sizes

    def __post_init__(self) -> None:
        count = len(self.cross_fitted)
        if self.public.shape != (count,) or self.per_chip.shape != (count, count):
            raise ValueError(
                f"Shapes do not fit: {self.cross_fitted.shape}, {self.public.shape}, {self.per_chip.shape}."
            )
        if not (self.observed).any():
            raise ValueError("No submission has a score.")

    @property
    def observed(self) -> NDArray[np.bool_]:
        """Which scores there are, (2 * num_submissions,): cross-fitted ones, then public ones."""
        return ~np.isnan(np.concatenate([self.cross_fitted, self.public]))


def draw_private(known: Known, *, draws: int = DRAWS, seed: int = 0) -> Array:
    """Return draws (about `draws`, num_submissions) of private scores, together, given what is known.

    Args:
        known: of the submissions.
        draws: how many.
        seed: of the draws; the same gives the same.
    """
    fits = [_fit(known, spread, own) for spread in SPREADS for own in OWN_SHIFTS]
    evidence = np.array([fit.evidence for fit in fits])
    weights = np.exp(evidence - evidence.max())
    ends = np.rint(np.cumsum(weights / weights.sum()) * draws).astype(int)
    normal = np.random.default_rng(seed).standard_normal((draws, len(known.public)))
    parts = []
    for fit, start, end in zip(fits, (0, *ends[:-1]), ends, strict=True):
        if end > start:
            covariance = fit.covariance + known.per_chip / known.sizes.private
            parts.append(fit.mean + normal[start:end] @ _root(covariance).T)
    return np.concatenate(parts)


class _Fit(NamedTuple):
    """The mean and covariance of what submissions are worth on all chips to predict, and how likely the scores are."""

    mean: Array
    covariance: Array
    evidence: float


def _fit(known: Known, spread: float, own: float) -> _Fit:
    """Condition on the scores, for one kappa and lambda in units of the noise of the public part."""
    sizes, chip, seen = known.sizes, known.per_chip, known.observed
    scores = np.concatenate([known.cross_fitted, known.public])[seen]
    centre = scores.mean()
    vague = VAGUE**2 * (scores.var() + chip.diagonal().max() / sizes.public)
    anywhere, unit = np.full(chip.shape, vague), chip / sizes.public
    quality = spread * unit + anywhere
    shifted = quality + own * unit + anywhere
    joint = np.block([[quality + chip / sizes.labelled, quality], [quality, shifted + chip / sizes.public]])
    joint = joint[np.ix_(seen, seen)]
    factor = np.linalg.cholesky(joint + 1e-12 * vague * np.eye(len(joint)))
    towards = np.linalg.solve(factor, np.hstack([quality, shifted])[:, seen].T)
    whitened = np.linalg.solve(factor, scores - centre)
    likelihood = -0.5 * whitened @ whitened - np.log(factor.diagonal()).sum()
    prior = np.log(np.sqrt(spread) / (1 + spread)) - np.log1p(own) + (0.5 * np.log(own) if own else np.log(0.25))
    return _Fit(centre + towards.T @ whitened, shifted - towards.T @ towards, float(likelihood + prior))


def _root(covariance: Array) -> Array:
    """Return a matrix whose product with its transpose is a covariance, which may be of less than full rank."""
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0)))
