"""What cuts and the competition's rules are worth on real held-out scores of Planet.

Run with `python -m tests.benchmarks.bench_cuts`. The scores are not part of the project: they are looked for in the
folder named by PLANET_SHARED_DATA, or in ../shared/data beside the repository.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from competition.spec import Competition, load
from folds.stratify import stratified_folds
from submissions.blends import blend_rule
from submissions.decoding import decide
from submissions.evaluate import evaluate, paired_difference
from submissions.tables import evaluation_table
from submissions.thresholds import choose, compare_cuts, cut_rules, display_name

SETS = ("atc_1", "atc_2", "atc_3")
SECOND = "atc_1_v2"  # another model on the chips of atc_1
K = 5


def main() -> int:
    """Print the tables."""
    data = os.environ.get("PLANET_SHARED_DATA") or Path(__file__).parents[2].parent / "shared" / "data"
    path = Path(data) / "oof" / "planet_cnn_heldout_18000.npz"
    if not path.is_file():
        print(f"No {path}: set PLANET_SHARED_DATA to the folder with the real scores. Nothing measured.")
        return 0
    competition = load("planet")
    with np.load(path, allow_pickle=False) as arrays:
        scores = {name: arrays[name] for name in (*SETS, SECOND)}
        truth = {name: arrays[f"{name}__y"] for name in (*SETS, SECOND)}
    for name in SETS:
        folds = stratified_folds(truth[name], K, seed=0)
        compared = compare_cuts(scores[name], truth[name], folds, competition)
        rule = choose(compared)
        print(f"\n{name}: {len(folds)} chips, {K} stratified folds, cuts alone; chosen: {rule}")
        print(evaluation_table(compared.values(), reference="fixed 0.2", chosen=compared[rule].name))
        print_rules(scores[name], truth[name], competition)
    print_blends(np.stack([scores[SETS[0]], scores[SECOND]]), truth[SETS[0]], competition)
    return 0


def print_rules(scores: NDArray[np.float32], truth: NDArray[np.bool_], competition: Competition) -> None:
    """Print what the competition's rules cost at the prior cut."""
    cut = competition.metric.prior_cut
    plain = decide(scores, cut, competition, exclusive=False)
    for exclusive, alone in ((True, False), (False, True), (True, True)):
        decisions = decide(scores, cut, competition, exclusive=exclusive, alone=alone)
        gain, error = paired_difference(truth, decisions, plain, competition.metric)
        print(f"exclusive={exclusive!s:<5} alone={alone!s:<5} {gain:+.4f} ± {error:.4f} against cuts alone")


def print_blends(scores: NDArray[np.float32], truth: NDArray[np.bool_], competition: Competition) -> None:
    """Print the mean and the vote of two models beside the models."""
    metric = competition.metric
    folds = stratified_folds(truth, K, seed=0)
    rules = {name: cut_rules(competition)[name] for name in ("fixed", "uniform")}
    reference = decide(scores.mean(axis=0), metric.prior_cut, competition, exclusive=False)
    evaluations = [
        evaluate(
            f"{method}, {display_name(name, metric)}",
            blend_rule(method, make, competition, False),
            scores,
            truth,
            folds,
            metric,
            reference=reference,
        )
        for method in ("mean", "vote")
        for name, make in rules.items()
    ]
    for model, own in zip((SETS[0], SECOND), scores, strict=True):
        make = blend_rule("mean", rules["fixed"], competition, False)
        evaluations.append(evaluate(f"{model} alone", make, own[None], truth, folds, metric, reference=reference))
    print(f"\n{SETS[0]} and {SECOND} blended, several weather labels allowed")
    print(evaluation_table(evaluations, reference="mean, fixed 0.2"))


if __name__ == "__main__":
    sys.exit(main())
