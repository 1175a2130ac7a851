"""Which two submissions, on made-up competitions whose truth is known: `python -m tests.benchmarks.bench_choose`.

Each competition has Planet's numbers of chips, all scored one by one: 40,479 labelled, 20,805 public, 40,386 private.
Of 4 to 15 submissions each is the best, cross-fitted, of up to 30 variants that hardly differ. What a chip is worth to
a submission comes of how hard the chip is for all, for those of its family of networks, and for it alone: half the
chips are worth 1, .90 in the mean, with a standard deviation of .15, and the correlation between submissions is .87 in
the mean; it was .81 to .89 between real networks. Qualities, shift from labelled chips to those to predict, and each
submission's own part of the shift are drawn anew for each competition, and not as `submissions choose` supposes them:
with long tails, by family, and whether submissions agree or not.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from competition.terminal.tables import table
from submissions.final.pairs import rank_pairs
from submissions.final.posterior import Known, Sizes, draw_private

SIZES = Sizes(40_479, 20_805, 40_386)
COMPETITIONS = 1000
SLOPE = 0.25  # of what a chip is worth, by how hard it is
PER_QUALITY = 8.0  # standard deviations of hardness that a metric's unit is worth
SHIFTS = {"none": 0.0, "little": 0.0003, "much": 0.001}  # scale of the own part of the shift, t with 4 degrees
STRATEGIES = ("choose", "best public", "best CV", "best of each", "the truth")


@dataclass(frozen=True, eq=False)
class Simulated:
    """A competition.

    Attributes:
        known: what its submissions' makers see.
        private: the truth, float array (num_submissions,).
    """

    known: Known
    private: NDArray[np.float64]


def simulate(random: np.random.Generator, own_shift: float) -> Simulated:
    """Return a competition, in which submissions' own parts of the shift have a scale."""
    count = int(random.integers(4, 16))
    families = random.integers(max(2, count // 3), size=count)
    spread = 0.0005 * random.lognormal(0, 0.5)  # of qualities: by family, and by submission with long tails
    quality = spread * (random.normal(size=count)[families] + 0.6 * random.standard_t(4, size=count))
    alike = random.uniform(0.8, 0.92)  # correlation of hardness between families
    own = random.uniform(0.1, 0.5)  # share of the rest that is a submission's own
    lucky, better = _best_variants(random, count)
    labelled = _worth(random, quality + better, families, alike, own, SIZES.labelled)
    moved = quality + better + 0.003 * random.normal() + own_shift * random.standard_t(4, size=count)
    public = _worth(random, moved, families, alike, own, SIZES.public)
    private = _worth(random, moved, families, alike, own, SIZES.private)
    known = Known(labelled.mean(axis=1) + lucky, public.mean(axis=1), np.cov(labelled), SIZES)
    return Simulated(known, private.mean(axis=1))


def _worth(
    random: np.random.Generator,
    quality: NDArray[np.float64],
    families: NDArray[np.integer],
    alike: float,
    own: float,
    num_chips: int,
) -> NDArray[np.float64]:
    """Return what chips are worth (num_submissions, num_chips)."""
    hardness = np.sqrt(alike) * random.standard_normal(num_chips, dtype=np.float32)
    by_family = random.standard_normal((families.max() + 1, num_chips), dtype=np.float32)
    alone = random.standard_normal((len(quality), num_chips), dtype=np.float32)
    apart = np.sqrt(1 - own) * by_family[families] + np.sqrt(own) * alone
    latent = hardness + np.sqrt(1 - alike) * apart - (PER_QUALITY * quality[:, None]).astype(np.float32)
    return np.clip(1 - SLOPE * np.maximum(latent, 0), 0, 1).astype(np.float64)


def _best_variants(random: np.random.Generator, count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how much of the cross-fitted score of each best variant is luck, and how much it is better."""
    luck, better = 7e-5 * random.normal(size=(count, 30)), 1e-4 * random.normal(size=(count, 30))
    tried = np.arange(30) < random.integers(1, 31, size=(count, 1))
    chosen = np.where(tried, luck + better, -np.inf).argmax(axis=1)
    rows = np.arange(count)
    return luck[rows, chosen], better[rows, chosen]


def pairs_of(simulated: Simulated) -> dict[str, tuple[int, int]]:
    """Return the pair that each strategy selects."""
    known = simulated.known
    public, ours, truth = (np.argsort(-of) for of in (known.public, known.cross_fitted, simulated.private))
    other = ours[1] if ours[0] == public[0] else public[0]
    best = rank_pairs(draw_private(known))[0]
    chosen = [(best.first, best.second), public[:2], ours[:2], (ours[0], other), truth[:2]]
    return {name: (int(one), int(two)) for name, (one, two) in zip(STRATEGIES, chosen, strict=True)}


def backtest(own_shift: float, competitions: int, seed: int = 0) -> NDArray[np.float64]:
    """Return the private score of the better of each strategy's two, (competitions, num_strategies)."""
    reached = []
    for number in range(competitions):
        simulated = simulate(np.random.default_rng([seed, number]), own_shift)
        reached.append([max(simulated.private[[*pair]]) for pair in pairs_of(simulated).values()])
    return np.array(reached)


def rows_of(name: str, reached: NDArray[np.float64]) -> list[list[str]]:
    """Return a line for each strategy: how far it is behind `choose`, and how often it has the best of all."""
    behind = 1e4 * (reached[:, [0]] - reached)
    error = behind.std(axis=0, ddof=1) / np.sqrt(len(reached))
    has_best = (reached >= reached[:, [-1]]).mean(axis=0)
    figures = zip(STRATEGIES, behind.mean(axis=0), error, has_best, strict=True)
    return [[name, strategy, f"{mean:.2f} ± {of:.2f}", f"{best:.0%}"] for strategy, mean, of, best in figures]


def main() -> None:
    """Print a table of what each strategy reaches."""
    competitions = int(sys.argv[1]) if len(sys.argv) > 1 else COMPETITIONS
    reached = {name: backtest(own_shift, competitions) for name, own_shift in SHIFTS.items()}
    everything = {**reached, "all": np.concatenate(list(reached.values()))}
    rows = [row for name, values in everything.items() for row in rows_of(name, values)]
    print(f"{competitions} competitions of each own shift; behind `choose` in private, in units of .0001, paired.")
    print(table(["own shift", "strategy", "behind", "has the best"], rows, "llr"))


if __name__ == "__main__":
    main()
