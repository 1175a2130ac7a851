"""Workspaces: with a submission, ready to be uploaded; with chips and scores, to be reported on; and their reports."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from competition.data.prepare import prepare
from competition.kaggle.answers import RemoteSubmission
from competition.layouts.simulate import simulate_layout
from competition.spec.competition import Competition
from competition.spec.load import load
from competition.spec.metric import SCORES, Metric
from competition.workspace import Workspace
from folds.dealing.table import make_table
from folds.store.score_store import ScoreStore
from submissions.evidence.evidence import Evidence, gather
from submissions.evidence.given import Given
from submissions.report.page import write_report
from submissions.submit.ledger import Ledger
from submissions.submit.write import write_decided
from tests.submissions.samples import add_model, blend_of, make_workspace, planet

HOSTILE = "<script>alert(1)</script>"
HANDLER = '"><img src=x onerror=alert(1)>'  # also a name of a file


class MadeUp:
    """A curve as those of trained networks."""

    def __init__(self, model: str, fold: int) -> None:
        self.model, self.fold, self.seed, self.best = model, fold, 0, 3
        falling = np.linspace(0.5, 0.1, 6)
        self.loss, self.heldout_loss = falling, falling + 0.1
        self.metric, self.heldout_metric = 1 - falling, 0.9 - falling
        self.learning_rate = falling / 100
        self.monitor = "heldout"


class LooksAtCorner:
    """What networks say that look at the top left quarter alone; every fourth chip cannot be read."""

    def __init__(self, num_labels: int) -> None:
        self.num_labels = num_labels

    def __call__(self, model: str, names: Sequence[str]) -> Iterator[SaidOfCorner]:
        for number, name in enumerate(names):
            if number % 4 != 3:
                yield SaidOfCorner(name, self.num_labels)


class SaidOfCorner:
    """What they say of a chip."""

    def __init__(self, name: str, num_labels: int) -> None:
        ends = [(0.0, 0.5), (0.5, 1.0)]
        self.name = name
        self.scores = np.full(num_labels, 0.8, dtype=np.float32)
        self.turned = np.tile(self.scores, (4, 1))
        self.places = np.array([(top, left, bottom, right) for top, bottom in ends for left, right in ends])
        self.hidden = np.tile(self.scores, (4, 1))
        self.hidden[0] = 0.2


def known(workspace: Workspace) -> Given:
    """Return made-up training of the models "a" and "b"."""
    folds = range(ScoreStore.of(workspace).table.num_folds)
    return Given(
        headers=("model", *(f"fold {fold}" for fold in folds)),
        rows=[(model, *("0.9" for _ in folds)) for model in "ab"],
        curves=[MadeUp(model, fold) for model in "ab" for fold in folds],
        learnt={"a": [(0.97, 0.9) for _ in folds], "b": [None for _ in folds]},
        recipes={"a": f"residual of {HOSTILE}"},
    )


@pytest.fixture(scope="session")
def reported(prepared, tmp_path_factory) -> Workspace:
    """Planet's chips, JPEG and GeoTIFF, with the scores of "a" and "b", and a report. Not to be changed."""
    root = tmp_path_factory.mktemp("reported") / "workspace"
    shutil.copytree(prepared, root)
    workspace = Workspace(root, load("planet"))
    for seed, model in enumerate("ab"):
        add_model(ScoreStore.of(workspace), model, workspace.labelled.truth, seed)
    write_report(None, workspace, known(workspace))
    return workspace


@pytest.fixture(scope="session")
def evidence(reported) -> Evidence:
    return gather(None, reported, known(reported))


@pytest.fixture
def little_compared(monkeypatch) -> None:
    """Reports compare what is cheap alone, as of a great many scores: where the comparison is not what is tested."""
    monkeypatch.setattr("submissions.evidence.evidence.MOST_CELLS", 100)


@pytest.fixture
def make_scored(reported) -> Callable[[Metric], Evidence]:
    """Evidence of the same chips and members for another metric."""

    def make(metric: Metric) -> Evidence:
        kind = {"kind": "scores"} if metric.judges == SCORES else {}
        changed = {"metric": metric, "submission": kind}
        competition = Competition.model_validate({**reported.competition.model_dump(), **changed})
        return gather(None, Workspace(reported.root, competition), Given())

    return make


def _rename_chips(folder: Path) -> None:
    """Let the id of every chip end in a script."""
    pictures = sorted(folder.rglob("*.png"))
    for path in pictures:
        path.rename(path.with_stem(f"{path.stem}{HANDLER}"))
    for path in folder.glob("*.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            header, *rows = csv.reader(file)
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([header, *([f"{name}{HANDLER}", *cells] for name, *cells in rows)])


@pytest.fixture(scope="session")
def hostile(tmp_path_factory) -> Path:
    """A report, with overlays, of a competition that judges scores, in which labels, ids and messages are scripts."""
    root = tmp_path_factory.mktemp("hostile")
    competition = Competition.model_validate(
        {
            "name": "hostile",
            "slug": "hostile",
            "title": "Fungi & <b>others</b>",
            "labels": [HOSTILE, "morel $\\frac$", 'quote"s'],
            "unlabelled": True,
            "metric": {"name": "roc_auc"},
            "tables": {"train": ["train.csv"], "sample_submission": "sample.csv", "id_column": "id"},
            "images": {"png": {"suffix": [".png"], "bands": "RGB", "train": ["train"], "test": ["test"]}},
        }
    )
    simulate_layout(root / "data", competition, num_train=60, num_test=12, size=24)
    _rename_chips(root / "data")
    workspace = Workspace(root / "workspace", competition)
    prepare(workspace, root / "data")
    Ledger.of(workspace).record([RemoteSubmission(1, HANDLER, HOSTILE, "", "complete", HOSTILE, 0.5, 0.4, 9)])
    labelled = workspace.labelled
    make_table(labelled.image_names, labelled.truth, k=3, seed=0).write(workspace.fold_table)
    for seed, model in enumerate("ab"):
        add_model(ScoreStore.of(workspace), model, labelled.truth, seed)
    given = replace(known(workspace), hide=LooksAtCorner(3))
    return write_report(None, workspace, given).path


@pytest.fixture(scope="session")
def written(tmp_path_factory) -> Path:
    """A workspace with a blend and its submission, `first`. Not to be changed."""
    workspace = make_workspace(tmp_path_factory.mktemp("written"))
    blend = blend_of("first", ["a", "b"], workspace)
    write_decided(blend.test, blend.evaluation.fitted, workspace, blend.provenance)
    return workspace.root


@pytest.fixture
def submittable(written, tmp_path) -> Workspace:
    """A workspace with the submission `first`, to write to."""
    shutil.copytree(written, tmp_path / "workspace")
    return Workspace(tmp_path / "workspace", planet())


@pytest.fixture(scope="module")
def browser():
    from tests.submissions.browsers import started

    driver = started()
    try:
        yield driver
    finally:
        driver.quit()
