"""Pictures for a page."""

from __future__ import annotations

import re

import numpy as np

from submissions.report.pictures import BAD, INK, SERIES, canvas, thinned


def drawn() -> str:
    with canvas() as drawing:
        drawing.axes.plot([0, 1], [0.12345, 0.5], color=SERIES[3])
        drawing.axes.text(0.5, 0.3, "0.98765 of $x$ & <b>", color=BAD)
        return drawing.picture("A <title>", "What & how", ("a",), [(1,)]).svg


def test_colours_are_those_of_the_page_and_text_stays_as_it_is():
    svg = drawn()
    assert "var(--s3)" in svg
    assert "var(--bad)" in svg
    assert "var(--ink)" in svg
    assert "#0a0" not in svg
    assert INK not in svg
    assert "0.98765 of $x$ &amp; &lt;b&gt;" in svg
    assert "A &lt;title&gt;" in svg
    assert "What &amp; how" in svg


def test_two_pictures_share_no_id_and_refer_to_their_own():
    first, second = ({*re.findall(r"""\bid=["']([^"']+)""", svg)} for svg in (drawn(), drawn()))
    assert first
    assert second
    assert not first & second
    svg = drawn()
    ids = {*re.findall(r"""\bid=["']([^"']+)""", svg)}
    assert {*re.findall(r'href="#([^"]+)', svg), *re.findall(r"url\(#([^)]+)", svg)} <= ids


def test_a_thinned_curve_keeps_its_ends():
    x, y = thinned(np.arange(1000), np.arange(1000) * 2, most=10)
    assert (x[0], x[-1], len(x)) == (0, 999, 10)
    np.testing.assert_array_equal(y, 2 * x)
