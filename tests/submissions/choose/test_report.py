"""Evaluations as tables."""

import json
import re

import numpy as np
import pytest

from competition.spec.metric import Metric
from competition.task import Task
from submissions.choose.report import LabelFigures, evaluation_table, reliability_table
from submissions.decide.cut_rules import FixedRule
from submissions.measure.cross_fit import CrossFit
from submissions.measure.evaluation import Evaluation, Ranking
from submissions.measure.reliability import reliability
from tests.submissions.samples import draw_scores, draw_truth, fold_numbers, planet

TRUTH = draw_truth(planet(), 60)
TRUTH[:, 2] = False  # of a label that no chip carries
SCORES = draw_scores(TRUTH)


def evaluation_of(cut: float) -> Evaluation:
    chips = CrossFit(TRUTH, fold_numbers(60), Metric(beta=2))
    return chips.evaluate(f"cut {cut}", lambda: FixedRule(cut), chips.as_they_are(SCORES))


@pytest.fixture(scope="module")
def low() -> Evaluation:
    return evaluation_of(0.2)


def test_the_chosen_one_has_a_star_and_the_reference_no_difference(low: Evaluation) -> None:
    high = evaluation_of(0.5)
    text = evaluation_table([high, low], low, high, {"beaten": ["50%", "7%"]})
    header, _, first, second, _, *notes = text.splitlines()
    assert re.split("  +", header.strip())[3:] == ["beaten", "optimism", "in-sample", "seconds"]
    assert first.startswith("* cut 0.5")
    assert f"{high.cross_fitted - low.cross_fitted:+.4f} ± " in first
    assert " 50%  " in first
    assert second.startswith("  cut 0.2")
    assert " - " in second
    assert notes == [
        "F2 is cross-fitted: every chip is decided by what was fitted without its fold.",
        "Differences are to cut 0.2, paired by chip, with their standard error.",
    ]


def test_labels_come_with_the_rarest_first_and_what_is_not_defined_is_left_open(low: Evaluation) -> None:
    competition = planet()
    figures = LabelFigures(low, Ranking.of(SCORES, TRUTH, competition.metric), Task(competition, competition.labels))
    table = figures.text().splitlines()
    support = [int(row.split()[1]) for row in table[2:-1]]
    assert support == sorted(TRUTH.sum(axis=0))
    assert table[2].split()[:2] == [competition.labels[2], "0"]
    assert table[2].split()[-3:] == ["-", "-", "0.200"]  # no average precision, no AUC, but a cut
    assert table[-1].startswith("mean over labels")
    assert table[0].split()[2] == "F2"
    by_label = json.loads(json.dumps(figures.as_dict(), allow_nan=False))
    assert list(by_label) == list(competition.labels)
    never = by_label[competition.labels[2]]
    assert (never["chips"], never["AP"], never["cut"]) == (0, None, 0.2)


def test_reliability_counts_every_score() -> None:
    *rows, _, error = reliability_table(reliability(SCORES, TRUTH)).splitlines()
    assert sum(int(row.split()[2].replace(",", "")) for row in rows[4:]) == SCORES.size
    assert float(error.split()[-1].rstrip(".")) == pytest.approx(reliability(SCORES, TRUTH).error, abs=1e-4)
    assert np.isfinite(reliability(SCORES, TRUTH).error)
