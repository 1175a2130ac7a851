"""The first part of a report."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from competition.common.files import digest_file
from submissions.evidence.evidence import Evidence
from submissions.report.overview import (
    best_single,
    comparison_picture,
    data_rows,
    leaderboard_line,
    leaderboard_picture,
    public_noise,
    ranked,
    submission_rows,
    what_next,
)
from submissions.submit.entry import Entry
from submissions.submit.write import write_decided, write_submission
from tests.submissions.samples import NUM_TEST, blend_of, make_workspace


def entry(public: float | None, cross_fitted: float = 0.9, name: str = "first") -> Entry:
    return Entry("planet", name, 1, "", "confirmed", 7, metric="F2", cross_fitted=cross_fitted, public=public)


def test_what_cannot_be_told_from_the_best_is_one_group(evidence):
    rows = ranked(evidence)
    gains = [row.candidate.evaluation.gain for row in rows]
    assert gains == sorted(gains, reverse=True)
    assert rows[0].is_near
    for row in rows:
        difference, error = row.candidate.evaluation.over(rows[0].candidate.evaluation)
        assert row.is_near == (abs(difference) <= error or row is rows[0])
    assert any(row.candidate is evidence.comparison.chosen and row.is_near for row in rows)
    picture = comparison_picture(evidence)
    assert [row[0] for row in picture.rows] == [row.candidate.evaluation.name for row in rows]
    assert [row[-1] == "yes" for row in picture.rows] == [row.is_near for row in rows]


def test_the_best_single_model_is_made_of_one_member(evidence):
    single = best_single(evidence)
    assert len(single.members) == 1
    assert all(
        c.evaluation.gain <= single.evaluation.gain for c in evidence.comparison.candidates if len(c.members) == 1
    )


@pytest.mark.parametrize(
    ("errors", "verdict"), [(1.0, "in line with it"), (-3.0, "Further off than chance explains: first has 0.8")]
)
def test_a_leaderboard_is_in_line_as_far_as_chance_goes(evidence, errors, verdict):
    gap = errors * public_noise(evidence)
    shown = dataclasses.replace(evidence, entries=(entry(None), entry(0.9 + gap)))
    assert verdict in leaderboard_line(shown)
    picture = leaderboard_picture(shown)
    assert [row[0] for row in picture.rows] == ["first"]
    assert len(submission_rows(shown)) == 2


def test_without_scores_nothing_is_drawn(evidence):
    assert leaderboard_picture(evidence) is None
    assert leaderboard_picture(dataclasses.replace(evidence, entries=(entry(None),))) is None


def test_the_chain_is_counted(evidence):
    rows = dict(data_rows(evidence))
    assert rows["labelled chips"] == f"{len(evidence.truth):,}"
    assert rows["members"] == "a, b"


def test_what_comes_next_is_the_checked_file_that_is_ready_or_else_more_models(tmp_path):
    workspace = make_workspace(tmp_path)

    def said(*entries: Entry, method: str = "mean") -> tuple[str, str]:
        chosen = SimpleNamespace(method=method, members=[1])
        source = SimpleNamespace(members=[SimpleNamespace(name="a"), SimpleNamespace(name="b")])
        comparison = SimpleNamespace(chosen=chosen)
        given = SimpleNamespace(comparison=comparison, source=source, workspace=workspace, entries=entries)
        return what_next(cast("Evidence", given))

    assert said()[0] == "python run.py auto --minutes 60"
    blend = blend_of("best", ["a", "b"], workspace, rule="fixed")
    report = write_decided(blend.test, blend.evaluation.fitted, workspace, blend.provenance)
    write_submission(
        workspace.submissions / "probe.csv", np.ones((NUM_TEST, 17), dtype=bool), workspace, {}, exclusive=False
    )
    command, why = said()
    assert command == "python run.py submit best --dry-run"
    assert f"ready, cross-fitted {blend.evaluation.cross_fitted:.4f}, and was not submitted" in why
    assert said(method="logit")[0] == "python run.py blend --auto --members a,b --name best"
    assert said(dataclasses.replace(entry(0.9), digest=digest_file(report.path)))[0].endswith("auto --minutes 60")
