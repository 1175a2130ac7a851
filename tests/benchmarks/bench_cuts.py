"""Decision rules and blends on real held-out scores of Planet, and exact cuts against searches for them.

Run with `python -m tests.benchmarks.bench_cuts`. The scores are not part of the project: they are looked for in the
folder named by PLANET_SHARED_DATA, or in ../shared/data beside the repository.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import optuna
from numpy.typing import NDArray

from competition.spec.competition import Competition
from competition.spec.load import load
from competition.terminal.tables import table
from submissions.choose.candidates import Candidates
from submissions.choose.compare import compare
from submissions.decide.cut_rules import PerLabelRule
from submissions.decide.exact_cuts import CutSearch
from submissions.names import FIXED, QUICK
from tests.benchmarks.bench_compare import candidates_of

SETS = ("atc_1", "atc_2", "atc_3")
SECOND = "atc_1_v2"  # another model on the chips of atc_1
TRIALS = 1000


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
        candidates = candidates_of(scores[name][None], truth[name], competition)
        print(f"\n{name}, {len(truth[name])} chips, 5 stratified folds:")
        print(compare(candidates).text())
        print_rules(candidates)
        print_race(scores[name], truth[name], competition)
    candidates = candidates_of(np.stack([scores[SETS[0]], scores[SECOND]]), truth[SETS[0]], competition)
    print(f"\n{SETS[0]} (m0) and {SECOND} (m1), blended:")
    compared = compare(candidates, (*QUICK, "logistic-all", "lightgbm"))
    print(compared.text(shaken=compared.shake_up(0.34)))
    return 0


def print_rules(candidates: Candidates) -> None:
    """Print what the competition's rules cost at the prior cut."""
    (plain,) = candidates.singles(0, (FIXED,))
    for exclusive, alone in ((True, False), (False, True), (True, True)):
        (bound,) = replace(candidates, exclusive=exclusive, alone=alone).singles(0, (FIXED,))
        value, error = bound.evaluation.over(plain.evaluation)
        print(f"exclusive={exclusive!s:<5} alone={alone!s:<5} {value:+.4f} ± {error:.4f} against cuts alone")


def print_race(scores: NDArray[np.float32], truth: NDArray[np.bool_], competition: Competition) -> None:
    """Print the in-sample metric that three ways of finding cuts reach, and their time."""
    metric = competition.metric
    search = CutSearch(scores, truth, metric)

    def exact() -> float:
        return search.value(PerLabelRule(metric).fit(scores, truth).cuts)

    def tpe() -> float:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=0))
        study.enqueue_trial(dict.fromkeys(competition.labels, metric.prior_cut))
        study.optimize(lambda trial: search.value(np.array([trial.suggest_float(label, 0, 1) for label in competition.labels])), TRIALS)  # noqa: E501  # fmt: skip
        return float(study.best_value)

    def grid() -> float:
        cuts, best = np.full(truth.shape[1], metric.prior_cut), 0.0
        while True:
            before = best
            for label in range(len(cuts)):
                tried = [
                    (search.value(np.where(np.arange(len(cuts)) == label, cut, cuts)), cut)
                    for cut in np.arange(101) / 100
                ]
                best, cuts[label] = max(tried)
            if best <= before:
                return best

    ways: dict[str, Callable[[], float]] = {
        "exact": exact,
        f"{TRIALS:,} TPE trials": tpe,
        "ascent on a grid of .01": grid,
    }
    rows = []
    for name, way in ways.items():
        start = time.perf_counter()
        value = way()
        rows.append([name, f"{value:.5f}", f"{time.perf_counter() - start:.2f}"])
    print(table(["cuts", f"in-sample {metric.title}", "seconds"], rows))


if __name__ == "__main__":
    sys.exit(main())
