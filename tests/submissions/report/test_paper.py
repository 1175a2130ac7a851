"""The starting paper's table and figures."""

from __future__ import annotations

from submissions.evidence.labels import labels_of
from submissions.report.paper import OF_PAPER, by_cuts_picture, contours_picture, networks_rows


def test_networks_stand_beside_the_papers(evidence):
    headers, rows = networks_rows(evidence)
    assert headers[2:5] == ("F2, chips learnt", "F2, held out", "difference")
    assert rows[0][:1] + rows[0][2:5] == ("a", "0.9700", "0.9000", "+0.0700")
    assert rows[0][5] == f"{evidence.at_prior_cut(evidence.of_member('a')):.4f}"
    assert rows[1][2:5] == ("not kept", "–", "–")
    assert len(rows) == 2 + len(OF_PAPER)


def test_cuts_are_compared_label_by_label_the_most_frequent_first(evidence):
    labels = labels_of(evidence)
    picture = by_cuts_picture(evidence, labels)
    shares = [float(row[1].rstrip("%")) for row in picture.rows]
    assert shares == sorted(shares, reverse=True)
    by_label = evidence.by_cuts["cuts by label"]
    for row in picture.rows:
        column = evidence.labels.index(row[0])
        assert row[2] == "0.50"
        assert row[10] == f"{by_label.fitted.cuts[column]:.2f}"
        assert row[11] == f"{by_label.labels.f_beta[column]:.3f}"


def test_contours_hold_every_label_that_was_decided(evidence):
    labels = labels_of(evidence)
    picture = contours_picture(evidence, labels)
    decided = {label.name for label in labels if label.support and label.precision == label.precision}
    assert {row[0] for row in picture.rows} == decided
