"""What adversarial validation finds, and what its weights are worth. `python -m tests.benchmarks.bench_shift FOLDER`.

FOLDER is a workspace of planet32 (shared data) with a model on features, of which `adversarial` was run. Its labelled
chips are dealt into labelled ones (two thirds) and chips to predict, whose labels are known here; these are shifted:

- not at all;
- brighter: every pixel 3 % brighter;
- hazy: a tenth of them replaced by hazy chips;
- labels: drawn with odds by random factors of each label that a chip carries (deviation of the logarithm .5);
- clouds: every second chip without a cloud left out.

Shown: the area of the features, as `adversarial` finds it; effective chips; by how much the shift moves F2 of heads at
0.2 that have not seen the chips, and by how much weights say that it does, with the error of chance among the labelled
chips; and how far the plain and the weighed F2 of the labelled chips are from that of the chips to predict. Without a
shift the two halves are .0034 apart, by chance.

Measured (MobileNetV2 at 64 px, 2,192 features, 24,025 labelled chips and 12,012 others, 2 busy cores):

    shift                 AUC  effective  F2 moves          foretold  plain off by  weighed off by  seconds
    none      0.4936 ± 0.0046       100%   +0.0000  -0.0000 ± 0.0000       +0.0034         +0.0033       34
    brighter  0.5218 ± 0.0046        99%   +0.0010  -0.0018 ± 0.0001       +0.0024         +0.0006       48
    hazy      0.5362 ± 0.0046        97%   -0.0133  -0.0058 ± 0.0003       +0.0167         +0.0109       34
    labels    0.5555 ± 0.0045        95%   -0.0017  -0.0033 ± 0.0003       +0.0050         +0.0017       54
    clouds    0.5653 ± 0.0055        93%   -0.0116  -0.0089 ± 0.0003       +0.0150         +0.0061       75

So every shift is found, at 4.7 errors or more. Weights foretell .4 to .8 of what haze and clouds cost, as a classifier
that is not sure takes back what it says. Of brightness they foretell a loss where there is none: bright chips among the
labelled ones are hazy, and the brightened ones are not.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from competition.metrics.f_beta import f_beta_per_chip
from competition.metrics.weighed import measure_weighed
from competition.terminal.tables import table
from competition.workspace import Workspace
from folds.store.chip_weights import effective
from folds.store.score_store import ScoreStore
from models.backend.load import load_backend
from models.inputs.feature_bank import FeatureBank
from models.inputs.sources import Sources
from models.linear.fit import fit_linear
from models.runs.model_recipe import read_recipe
from models.shift.apart import told_apart
from models.shift.area import area
from models.shift.both import Both
from models.shift.ratios import ratios

BRIGHTER, HAZY, SPREAD = 1.03, 0.1, 0.5
SHARE = 1 / 3  # of the chips that are to be predicted
CUT = 0.2


class Chips:
    """The labelled chips of a workspace, dealt to labelled ones and others, with scores of heads that did not see them.

    Args:
        workspace: with a model on features.
        model: its name.
    """

    def __init__(self, workspace: Workspace, model: str) -> None:
        self.workspace, self.recipe = workspace, read_recipe(workspace, model)
        self.sources = Sources(workspace, self.recipe)
        self.bank = self.sources.bank("train", ("identity",))
        table_, self.names = ScoreStore.of(workspace).table, self.sources.cache("train").names
        row = {name: number for number, name in enumerate(workspace.labelled.image_names)}
        self.truth = workspace.labelled.truth[[row[name] for name in self.names]]
        self.folds = table_.folds_of(self.names, 0)
        self.numbers = list(range(table_.k))
        order = np.random.default_rng(0).permutation(len(self.names))
        cut = round(SHARE * len(order))
        self.others, self.labelled = np.sort(order[:cut]), np.sort(order[cut:])

    @cached_property
    def heads(self) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """Kernel and bias of each fold's linear head, which has not seen the chips of the fold."""
        return fit_linear(self.bank, self.truth, self.folds, self.numbers, self.recipe)

    def f2(self, features: NDArray[np.float32], rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the F2 of each of some chips, by the head of the fold that holds it out."""
        return f_beta_per_chip(self.truth[rows], self.scores(features, rows) >= CUT, 2)

    def scores(self, features: NDArray[np.float32], rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return scores (num_rows, num_labels)."""
        scores = np.empty((len(rows), self.truth.shape[1]))
        for fold, (kernel, bias) in zip(self.numbers, self.heads, strict=True):
            held = self.folds[rows] == fold
            scores[held] = expit(features[held] @ kernel + bias)
        return scores

    def brighter(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the features of some chips whose pixels are brighter."""
        chips = self.sources.chips("train")
        runner = self.sources.extractor.runner(chips.read(rows[:8]))
        parts = [rows[start : start + 64] for start in range(0, len(rows), 64)]
        made = [runner(np.clip(chips.read(part).astype(np.float32) * BRIGHTER, 0, 255)) for part in parts]
        return np.concatenate(made)

    def shifted(self) -> Iterator[tuple[str, NDArray[np.int64], NDArray[np.float32] | None]]:
        """Yield a name, the chips to predict, and their features where they are not those of the bank."""
        yield "none", self.others, None
        yield "brighter", self.others, self.brighter(self.others)
        for name, rows in self.drawn_anew():
            yield name, rows, None

    def drawn_anew(self) -> Iterator[tuple[str, NDArray[np.int64]]]:
        """Yield those shifts by which other chips are to predict, and no chip is changed."""
        random, labels = np.random.default_rng(1), self.workspace.competition.label_index
        hazy = self.others[self.truth[self.others, labels["haze"]]]
        few = random.random(len(self.others)) < HAZY
        yield "hazy", np.where(few, random.choice(hazy, len(few)), self.others)
        odds = np.exp((self.truth[self.others] * random.normal(0, SPREAD, self.truth.shape[1])).sum(axis=1))
        yield "labels", random.choice(self.others, len(self.others), p=odds / odds.sum())
        cloudless = ~self.truth[self.others][:, [labels["cloudy"], labels["partly_cloudy"]]].any(axis=1)
        yield "clouds", self.others[~(cloudless & (random.random(len(cloudless)) < 0.5))]


def main() -> None:
    """Print a table of shifts."""
    from competition.spec.load import load

    load_backend()
    workspace = Workspace(Path(sys.argv[1]), load("planet"))
    chips, rows = Chips(workspace, sys.argv[2] if len(sys.argv) > 2 else "mnv2"), []
    ours, metric = chips.bank.read(chips.labelled), workspace.competition.metric
    plain = chips.f2(ours, chips.labelled)
    decided, unmoved = chips.scores(ours, chips.labelled) >= CUT, None
    for name, others, features in chips.shifted():
        started = time.monotonic()
        theirs = chips.bank.read(others) if features is None else features
        bank, further = (
            FeatureBank(ours.shape[1], {"identity": (side.astype(np.float16),)}) for side in (ours, theirs)
        )
        folds = np.concatenate([chips.folds[chips.labelled], chips.folds[others]])
        is_test = np.repeat([False, True], [len(ours), len(theirs)])
        both = Both(bank.followed_by(further), tuple(map(str, range(len(is_test)))), is_test, folds, ())
        odds = told_apart(both)
        found, weights = area(odds, is_test, folds, learnt=True), ratios(odds, is_test, folds)
        real, weighed = chips.f2(theirs, others), measure_weighed(chips.truth[chips.labelled], decided, metric, weights)
        unmoved = real.mean() if unmoved is None else unmoved
        moved = np.sqrt(((weights / weights.mean() * (plain - weighed) - (plain - plain.mean())) ** 2).sum()) / len(
            plain
        )
        rows.append(
            [
                name,
                found.text(),
                f"{effective(weights) / len(weights):.0%}",
                f"{real.mean() - unmoved:+.4f}",
                f"{weighed - plain.mean():+.4f} ± {moved:.4f}",
                f"{plain.mean() - real.mean():+.4f}",
                f"{weighed - real.mean():+.4f}",
                f"{time.monotonic() - started:.0f}",
            ]
        )
        print(rows[-1], file=sys.stderr, flush=True)
    headers = ["shift", "AUC", "effective", "F2 moves", "foretold", "plain off by", "weighed off by", "seconds"]
    print(table(headers, rows))


if __name__ == "__main__":
    main()
