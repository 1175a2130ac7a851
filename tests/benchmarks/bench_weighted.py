"""Whether heads that learn by weights do better on shifted chips. `python -m tests.benchmarks.bench_weighted FOLDER`.

FOLDER is a workspace of planet32 (shared data) with a model "mnv2" on features; after it stand the units of the heads'
dense layers, none for linear heads. Its labelled chips are dealt and shifted as by
`bench_shift`: two thirds stay labelled, and the others, whose labels are known here, are to be predicted. The labelled
ones are weighed by what tells them from the others, as `adversarial` does; heads learn from them with and without the
weights, each fold's epochs judged by its held-out labelled chips, and score the others, whom none of them has seen.

Shown: effective chips; F2 at 0.2 and log loss of the others by the mean of all folds' heads, with the paired difference
that weights make and its standard error over chips (a chip that was drawn several times is one); and what they cost the
labelled chips, held out.

Measured (MobileNetV2 at 64 px, 24,025 labelled chips and 12,012 others or fewer, linear heads; a busy machine):

    shift   effective      F2        by weights  log loss        by weights  labelled: F2 by weights
    none         100%  0.8496  +0.0001 ± 0.0001    0.1652  +0.0000 ± 0.0000         +0.0000 ± 0.0001
    hazy          98%  0.8366  +0.0010 ± 0.0005    0.1754  -0.0002 ± 0.0001         -0.0000 ± 0.0002
    labels        97%  0.8415  +0.0006 ± 0.0005    0.1556  -0.0003 ± 0.0001         +0.0004 ± 0.0002
    clouds        97%  0.8280  +0.0010 ± 0.0004    0.1745  -0.0005 ± 0.0001         +0.0001 ± 0.0002

Heads with a dense layer of 128 units:

    none         100%  0.8537  -0.0002 ± 0.0001    0.1550  +0.0001 ± 0.0000         -0.0001 ± 0.0001
    hazy          98%  0.8399  -0.0002 ± 0.0005    0.1660  -0.0001 ± 0.0001         -0.0002 ± 0.0002
    labels        97%  0.8451  +0.0016 ± 0.0006    0.1447  -0.0002 ± 0.0001         +0.0001 ± 0.0002
    clouds        97%  0.8343  +0.0006 ± 0.0004    0.1635  -0.0002 ± 0.0000         +0.0002 ± 0.0002

One seed each, whose training is noise that the errors do not have.
"""

from __future__ import annotations

import dataclasses
import sys
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from competition.metrics.f_beta import f_beta_per_chip
from competition.metrics.log_loss import losses
from competition.terminal.tables import table
from competition.workspace import Workspace
from folds.store.chip_weights import effective
from models.backend.load import load_backend
from models.heads.group import HeadGroup
from models.heads.together import train_together
from models.heads.training import scores_of
from models.inputs.batches import Taught
from models.inputs.examples import Examples
from models.inputs.feature_bank import FeatureBank
from models.recipes.named import resolve
from models.shift.apart import told_apart
from models.shift.both import Both
from models.shift.ratios import ratios
from tests.benchmarks.bench_shift import CUT, Chips

Scores = NDArray[np.float32]
RECIPE = {
    "input_size": 64,
    "head_norm": "batch",
    "augment": (),
    "epochs": 24,
    "views": "identity",
    "images": "jpg",
    "groups": "sigmoid",
}
COMPONENTS = 256  # of the features, which hold nearly all that they tell, and are learnt from in a ninth of the time


def learnt(
    chips: Chips, bank: FeatureBank, num_others: int, dense: tuple[int, ...], weights: NDArray[np.float64] | None
) -> Scores:
    """Return the scores of labelled chips, held out, and behind them of the others: the means over heads."""
    recipe, truth = resolve("mobilenet_v2_levels", {**RECIPE, "dense": dense}), chips.truth[chips.labelled]
    groups = []
    for fold in chips.numbers:
        held = chips.folds[chips.labelled] == fold
        examples = Examples(recipe.task(chips.workspace.competition), bank, truth, *map(np.flatnonzero, (~held, held)))
        if weights is not None:
            of_fold = weights / weights[~held].mean()
            examples = dataclasses.replace(examples, taught=Taught.of(truth).weighed(of_fold))
        groups.append(HeadGroup(recipe, examples))
    train_together(groups, quiet=True)
    scores = np.zeros((len(truth) + num_others, truth.shape[1]), dtype=np.float32)
    behind = np.arange(len(truth), len(scores))
    for group in groups:
        held = group.examples.heldout
        scores[held] = scores_of(group, held, values=group.best).mean(axis=0)
        scores[behind] += scores_of(group, behind, values=group.best).mean(axis=0) / len(groups)
    return scores


def components(features: NDArray[np.float32]) -> NDArray[np.float16]:
    """Return the first principal components (num_chips, COMPONENTS) of features, divided by their deviation."""
    features -= features.mean(axis=0)
    vectors = np.linalg.eigh(features.T @ features)[1][:, : -COMPONENTS - 1 : -1]
    found = features @ vectors
    return np.asarray(found / found.std(), dtype=np.float16)


def paired(values: NDArray[np.float64], rows: NDArray[np.int64]) -> str:
    """Return the mean of differences (num_chips,) and its standard error; chips that are there twice are one."""
    _, of = np.unique(rows, return_inverse=True)
    sums = np.bincount(of, values - values.mean())
    return f"{values.mean():+.4f} ± {np.sqrt((sums**2).sum()) / len(values):.4f}"


def main() -> None:
    """Print a table of shifts."""
    from competition.spec.load import load

    load_backend()
    workspace, rows = Workspace(Path(sys.argv[1]), load("planet")), []
    dense = tuple(map(int, sys.argv[2:]))
    chips = Chips(workspace, "mnv2")
    features = components(chips.bank.read(np.arange(len(chips.names))))
    for name, others in [("none", chips.others), *chips.drawn_anew()]:
        started, every = time.monotonic(), np.concatenate([chips.labelled, others])
        bank = FeatureBank(COMPONENTS, {"identity": (features[every],)})
        is_test, folds = np.repeat([False, True], [len(chips.labelled), len(others)]), chips.folds[every]
        odds = told_apart(Both(bank, tuple(map(str, range(len(is_test)))), is_test, folds, ()))
        weights = ratios(odds, is_test, folds)
        truth, count = chips.truth[every], len(chips.labelled)
        made = [learnt(chips, bank, len(others), dense, each) for each in (None, weights)]
        f2 = [f_beta_per_chip(truth, scores >= CUT, 2) for scores in made]
        loss = [losses(truth, scores, 1e-7).mean(axis=1) for scores in made]
        rows.append(
            [
                name,
                f"{effective(weights) / len(weights):.0%}",
                f"{f2[0][count:].mean():.4f}",
                paired((f2[1] - f2[0])[count:], others),
                f"{loss[0][count:].mean():.4f}",
                paired((loss[1] - loss[0])[count:], others),
                paired((f2[1] - f2[0])[:count], chips.labelled),
                f"{time.monotonic() - started:.0f}",
            ]
        )
        print(rows[-1], file=sys.stderr, flush=True)
    headers = ["shift", "effective", "F2", "by weights", "log loss", "by weights", "labelled: F2 by weights", "seconds"]
    print(table(headers, rows))


if __name__ == "__main__":
    main()
