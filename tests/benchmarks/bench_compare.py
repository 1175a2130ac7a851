"""The second level at full size, 20 models, 40,479 chips and 17 labels: time, memory, and what greedy selection saves.

Run with `python -m tests.benchmarks.bench_compare [--models 20] [--methods all]`. Scores are simulated: labels come as
often as in the competition, members share most of what they get wrong, and each is near F2 .92, as good networks are.

Measured on two cores: `--methods mean,greedy,optuna,ridge,logistic` takes 156 s for 150 candidates, all quick methods
230 s for 182, LightGBM by six rules 157 s, within 1 GB. A trial of greedy selection is 20 times as fast as the mean and
the metric computed anew, and 9 times as fast as with a running sum.
"""

from __future__ import annotations

import resource
import time
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from competition.metrics.judge import measure
from competition.spec.competition import Competition
from competition.spec.load import load
from competition.terminal.tables import table
from folds.dealing.stratify import stratified_folds
from folds.store.scores import Scores
from submissions.choose.candidates import Candidates
from submissions.choose.compare import compare
from submissions.combine.greedy import GreedySelection
from submissions.combine.mean_trials import MeanTrial
from submissions.combine.methods import METHODS, Setting
from submissions.members.members import Member, SharedChips
from submissions.names import QUICK

NUM_CHIPS = 40_479
# How often each label comes in the competition's 40,479 labelled chips.
SHARES = {
    "agriculture": 0.3042, "artisinal_mine": 0.0084, "bare_ground": 0.0213, "blooming": 0.0082, "blow_down": 0.0024,
    "clear": 0.7024, "cloudy": 0.0516, "conventional_mine": 0.0025, "cultivation": 0.1106, "habitation": 0.0904,
    "haze": 0.0666, "partly_cloudy": 0.1794, "primary": 0.9266, "road": 0.1994, "selective_logging": 0.0084,
    "slash_burn": 0.0052, "water": 0.1830,
}  # fmt: skip
SIGNAL = 5.0  # between chips with and without a label, on the scale of the noise
SHARED, OWN = 1.7, 1.0  # noise that all members share, and each one's own


def draw(num_models: int, competition: Competition) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return scores (num_models, NUM_CHIPS, 17) and truth (NUM_CHIPS, 17)."""
    random = np.random.default_rng(0)
    share = np.array([SHARES[label] for label in competition.labels])
    truth = random.random((NUM_CHIPS, len(share))) < share
    for group in map(list, competition.exclusive_columns):
        drawn = random.choice(len(group), size=NUM_CHIPS, p=share[group] / share[group].sum())
        truth[:, group] = drawn[:, None] == np.arange(len(group))
    seen = np.where(truth, SIGNAL / 2, -SIGNAL / 2) + random.normal(scale=SHARED, size=truth.shape)
    prior = np.log(share / (1 - share))
    scores = []
    for own in OWN * (0.8 + 0.03 * np.arange(num_models)):
        noise = random.normal(scale=own, size=truth.shape)
        scores.append(expit(prior + SIGNAL * (seen + noise) / (SHARED**2 + own**2)).astype(np.float32))  # calibrated
    return np.stack(scores), truth


def candidates_of(
    scores: NDArray[np.float32], truth: NDArray[np.bool_], competition: Competition, k: int = 5
) -> Candidates:
    """Return what makes candidates of members with these scores."""
    names = tuple(f"train_{i}" for i in range(len(truth)))
    nothing = Scores((), np.empty((0, truth.shape[1]), dtype=np.float32))
    members = tuple(
        Member(f"m{i}", Path(), Scores(names, own), nothing, {}, {"name": f"m{i}", "kind": "model"}, (), ())
        for i, own in enumerate(scores)
    )
    chips = SharedChips(names, scores, truth, stratified_folds(truth, k, seed=0), (), "")
    setting = Setting(competition, tuple(member.name for member in members), np.zeros(truth.shape[1], dtype=bool))
    return Candidates(members, chips, setting)


def print_greedy(scores: NDArray[np.float32], truth: NDArray[np.bool_], competition: Competition) -> None:
    """Print what a step of greedy selection takes, and by loops that compute the metric anew for every trial."""
    metric, number = competition.metric, len(scores)
    trial = MeanTrial(scores, truth, metric)
    singles = np.array([trial.with_one(member) for member in range(number)])
    chosen = [int(member) for member in np.argsort(-singles)[:10]]
    trial.clear()
    for member in chosen:
        trial.add(member)
    total = scores[chosen].sum(axis=0)

    def fast() -> list[float]:
        return [trial.with_one(member) for member in range(number)]

    def running_sum() -> list[float]:
        return [measure(truth, (total + own) / (len(chosen) + 1) >= metric.prior_cut, metric) for own in scores]

    def mean_anew() -> list[float]:
        means = (scores[[*chosen, member]].mean(axis=0) for member in range(number))
        return [measure(truth, mean >= metric.prior_cut, metric) for mean in means]

    seconds: dict[str, list[float]] = {}
    for _ in range(5):  # interleaved
        for work in (fast, running_sum, mean_anew):
            start = time.perf_counter()
            work()
            seconds.setdefault(work.__name__, []).append(time.perf_counter() - start)
    median = {name: float(np.median(each)) for name, each in seconds.items()}
    start = time.perf_counter()
    GreedySelection(metric).fit(scores, truth)
    whole = time.perf_counter() - start
    print(f"\nA step of greedy selection, {number} trials after {len(chosen)} members:")
    rows = [[name, f"{1e3 * each:.1f}", f"{each / median['fast']:.1f}"] for name, each in median.items()]
    print(table(["way", "ms", "times as long"], rows))
    print(f"A whole selection, ten bags: {whole:.1f} s.")


@click.command()
@click.option("--models", default=20, show_default=True, help="number of members")
@click.option("--methods", default=",".join(QUICK), show_default=True, help="of combining them, joined by commas")
def main(models: int, methods: str) -> None:
    """Measure and print."""
    competition = load("planet")
    scores, truth = draw(models, competition)
    chosen = tuple(METHODS) if methods == "all" else tuple(methods.split(","))
    start = time.perf_counter()
    compared = compare(candidates_of(scores, truth, competition), chosen)
    seconds = time.perf_counter() - start
    print(compared.text(top=25))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rows = [["models", models], ["candidates", len(compared.candidates)], ["seconds", f"{seconds:.0f}"],
            ["peak MB", f"{peak:,.0f}"]]  # fmt: skip
    print(table(["what", "figure"], rows))
    each = {c.method: c.combined.seconds for c in compared.candidates if len(c.members) > 1}
    print(table(["method", "seconds to combine"], [[name, f"{each[name]:.1f}"] for name in each]))
    print_greedy(scores, truth, competition)


if __name__ == "__main__":
    main()
