"""How well, and how fast, chips are dealt into folds: ours against scikit-learn's KFold and GroupKFold.

    python -m tests.benchmarks.bench_stratify

Labels are simulated at the competition's frequencies; with PLANET_SHARED_DATA naming a folder that holds
`planet32/train_v2.csv.zip`, the real ones are used. Groups have geometric sizes, ten chips on average: once drawn at
random, once of chips with like labels, as the chips of one scene are.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import BaseCrossValidator, GroupKFold, KFold

from competition.simulator.label_rates import draw_labels
from competition.spec.load import load
from competition.tables.labels import read_label_table
from competition.terminal.tables import table
from folds.dealing.audit import audit
from folds.dealing.stratify import grouped_stratified_folds, stratified_folds
from folds.dealing.table import FoldTable

K = 5
SEEDS = range(3)
MEAN_SIZE = 10
NUM_CHIPS = 40_479

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]


def labels_and_truth() -> tuple[str, tuple[str, ...], Bools]:
    """Return where the labels are from, their names, and truth (num_chips, num_labels)."""
    competition = load("planet")
    if folder := os.environ.get("PLANET_SHARED_DATA"):
        truth = read_label_table([Path(folder) / "planet32" / "train_v2.csv.zip"], competition).truth
        return "real labels", competition.labels, truth
    return "simulated labels", competition.labels, draw_labels(NUM_CHIPS, np.random.default_rng(0))


def groups_of(truth: Bools, alike: bool, rng: np.random.Generator) -> Ints:
    """Return groups (num_chips,) of geometric sizes, of random chips or of chips with like labels."""
    num_chips = len(truth)
    order = np.lexsort((rng.random(num_chips), *truth.T)) if alike else rng.permutation(num_chips)
    groups = np.empty(num_chips, dtype=np.int64)
    groups[order] = np.repeat(np.arange(num_chips), rng.geometric(1 / MEAN_SIZE, num_chips))[:num_chips]
    return groups


def folds_of(splitter: BaseCrossValidator, truth: Bools, groups: Ints | None = None) -> Ints:
    """Return the folds (num_chips,) of one of scikit-learn's splitters."""
    folds = np.empty(len(truth), dtype=np.int64)
    for fold, (_, heldout) in enumerate(splitter.split(truth, groups=groups)):
        folds[heldout] = fold
    return folds


def measure(name: str, deal: Callable[[int], Ints], truth: Bools, labels: tuple[str, ...]) -> list[object]:
    """Return a row: median seconds, and deviations from the labels' shares over the seeds."""
    seconds, worst, typical, sizes = [], [], [], []
    for seed in SEEDS:
        start = time.perf_counter()
        folds = deal(seed)
        seconds.append(time.perf_counter() - start)
        made = audit(FoldTable(tuple(map(str, range(len(truth)))), folds[None], K), truth, labels)
        assert made.worst is not None
        worst.append(made.worst)
        typical.append(np.abs(made.relative_share - 1).max(axis=0).mean())
        sizes.extend(made.fold_sizes)
    label, _, deviation = max(worst, key=lambda found: abs(found[2]))
    median = np.median([abs(found[2]) for found in worst])
    return [
        name, f"{np.median(seconds):.2f}", f"{median:.1%}", f"{deviation:+.1%} {label}", f"{np.mean(typical):.1%}",
        f"{min(sizes)} to {max(sizes)}",
    ]  # fmt: skip


def main() -> None:
    """Print a table of dealers."""
    source, labels, truth = labels_and_truth()
    print(f"{source}: {len(truth)} chips, k = {K}, {len(SEEDS)} seeds")
    by_seed = [
        {alike: groups_of(truth, alike, np.random.default_rng(seed)) for alike in (False, True)} for seed in SEEDS
    ]
    single = np.arange(len(truth))

    stratified_folds(truth[:100], 2, 0)  # imports
    dealers: dict[str, Callable[[int], Ints]] = {
        "KFold": lambda seed: folds_of(KFold(K, shuffle=True, random_state=seed), truth),
        "stratified_folds": lambda seed: stratified_folds(truth, K, seed),
        "grouped, single chips": lambda seed: grouped_stratified_folds(truth, single, K, seed),
        "GroupKFold, random groups": lambda seed: folds_of(GroupKFold(K), truth, by_seed[seed][False]),
        "grouped, random groups": lambda seed: grouped_stratified_folds(truth, by_seed[seed][False], K, seed),
        "GroupKFold, alike groups": lambda seed: folds_of(GroupKFold(K), truth, by_seed[seed][True]),
        "grouped, alike groups": lambda seed: grouped_stratified_folds(truth, by_seed[seed][True], K, seed),
    }
    rows = [measure(name, deal, truth, labels) for name, deal in dealers.items()]
    print(table(["dealt by", "s", "worst, median", "worst of all", "mean over labels", "fold sizes"], rows))


if __name__ == "__main__":
    main()
