"""Which entries of a ledger can be selected."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from competition.spec.metric import Metric
from submissions.final.finalists import find_finalists, without_far
from submissions.submit.entry import Entry

F2 = Metric(beta=2)


def entry(number: int, **given: object) -> Entry:
    base = Entry("planet", f"s{number}", 1, "m", "confirmed", number, f"{number:016x}", metric="F2", status="complete")
    return replace(base, **given)


def test_only_what_kaggle_has_and_scored_can_be_selected_each_file_once() -> None:
    entries = [
        entry(1, public=0.9, cross_fitted=0.91),
        entry(2, stage="ended", ref=None, error="refused", cross_fitted=0.99),
        entry(3, status="error", error="bad row", cross_fitted=0.98),
        entry(4, stage="uploading", ref=None, cross_fitted=0.97),
        entry(5),  # neither score
        entry(6, public=0.9, marker=f"{1:016x}"),  # the file of the first, again
        entry(7, status="pending", cross_fitted=0.9),
        entry(8, status="pending", marker=f"{1:016x}"),
        entry(9, public=0.89, marker=None),
        entry(10, public=0.89, marker=None),  # made elsewhere: nobody knows whether they are the same
    ]
    found = find_finalists(entries, F2)
    assert [each.ref for each in found.entries] == [6, 7, 9, 10]
    assert [note.split()[2] for note in found.notes] == ["3", "2", "1"]


def test_what_the_metric_cannot_be_is_no_score() -> None:
    entries = [entry(1, public=0.9), entry(2, public=1e300), entry(3, public=-5.0), entry(4, cross_fitted=1.1)]
    found = find_finalists([*entries, entry(5, public=0.0), entry(6, public=1.0)], F2)
    assert [each.ref for each in found.entries] == [1, 5, 6]
    assert found.notes == ("Left out: 3 with a score that F2 cannot be.",)
    loss = Metric(name="log_loss")
    assert [each.ref for each in find_finalists([*entries, entry(7, public=34.5)], loss).entries] == [1, 7]


def test_scores_in_another_metric_do_not_count_and_less_is_better_of_a_loss() -> None:
    entries = [entry(1, public=0.9, cross_fitted=0.3, metric="log loss"), entry(2, public=0.8, cross_fitted=0.85)]
    found = find_finalists(entries, F2)
    ours, public = found.scores(F2)
    np.testing.assert_array_equal(ours, [np.nan, 0.85])
    np.testing.assert_array_equal(public, [0.9, 0.8])
    assert any("another metric than F2" in note for note in found.notes)
    loss = Metric(name="log_loss")
    ours, public = find_finalists(entries, loss).scores(loss)
    np.testing.assert_array_equal(public, [-0.9, -0.8])
    np.testing.assert_array_equal(ours, [-0.3, np.nan])


def test_names_are_told_apart_and_are_no_control_characters() -> None:
    entries = [entry(1, public=0.9, name="a"), entry(2, public=0.9, name="a"), entry(3, public=0.9, name="b\x1b[2J")]
    names = find_finalists(entries, F2).names
    assert names[:2] == ["a (1)", "a (2)"]
    assert "\x1b" not in names[2]


def test_probes_are_left_out_of_what_is_learnt_from() -> None:
    entries = [entry(1, public=0.9), entry(2, public=0.901), entry(3, public=0.67, name="all-primary")]
    found = without_far(find_finalists(entries, F2), F2, 0.001)
    assert [each.ref for each in found.entries] == [1, 2]
    assert "all-primary" in found.notes[-1]
    two = find_finalists([entries[0], entries[2]], F2)
    assert without_far(two, F2, 0.001) is two  # or there would be nothing to choose from
