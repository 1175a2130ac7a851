"""The page: whole, closed to the outside, and nothing in it but what it should be."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner
from markupsafe import escape

import run
from competition.common.errors import UserError
from submissions.evidence.looks import MOST_LOOKS
from submissions.report.page import FILE, write_report
from tests.submissions.conftest import HANDLER, HOSTILE, known

EMPTY = {"meta", "link", "input", "img", "br", "hr", "path", "use", "rect", "circle", "line"}


class Reader(HTMLParser):
    """Reads a page: what it refers to, its ids, and whether every tag is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.refers, self.ids, self.open, self.scripts, self.names = [], [], [], 0, []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.refers += [values[name] for name in ("src", "href", "xlink:href") if name in values]
        self.ids += [values["id"]] if "id" in values else []
        self.scripts += tag == "script"
        assert not [name for name in values if name.startswith("on")], values
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in EMPTY:
            self.open.pop()

    def handle_endtag(self, tag):
        if tag not in EMPTY:
            assert self.open.pop() == tag


@pytest.fixture(scope="module", params=["reported", "hostile"])
def text(request) -> str:
    made = request.getfixturevalue(request.param)
    path = made if isinstance(made, Path) else made.root / FILE
    return path.read_text(encoding="utf-8")


def test_a_page_refers_to_nothing_outside_and_is_well_formed(text):
    page = Reader(text)
    assert page.open == []
    outside = [place for place in page.refers if not place.startswith(("#", "data:"))]
    assert outside == []
    assert not re.search(r"url\((?!#)", text)
    assert len(page.ids) == len(set(page.ids)), "two parts share an id"
    assert {place[1:] for place in page.refers if place.startswith("#")} <= set(page.ids)
    assert len(text.encode()) < 5_000_000


def test_what_comes_from_files_is_text(hostile, reported):
    for path in (hostile, reported.root / FILE):
        text = path.read_text(encoding="utf-8")
        assert HOSTILE not in text
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
        assert Reader(text).scripts == 1, "the page's own"
    text = hostile.read_text(encoding="utf-8")
    assert "Fungi &amp; &lt;b&gt;others&lt;/b&gt;" in text
    assert "<img src=x" not in text
    assert text.count(escape(HANDLER)) > 10, "in ids of chips, and the name of a submission"


def test_every_picture_has_a_name_a_description_and_its_data(text):
    pictures = re.findall(r"<svg .*?</svg>", text, flags=re.DOTALL)
    assert len(pictures) > 8
    for picture in pictures:
        assert re.search(r"role='img' aria-labelledby='\S+t \S+d'", picture)
        assert re.search(r"<title id='[^']+'>[^<]+</title><desc id='[^']+'>[^<]+</desc>", picture)
    assert len(pictures) == text.count("<figure>") == text.count("<summary>The data")


@pytest.fixture
def plain(monkeypatch):
    """Pictures without what is drawn in them, which takes most of a report's time."""
    monkeypatch.setattr("submissions.report.pictures._svg", lambda *_: "<svg role='img'></svg>")


@pytest.mark.usefixtures("plain")
def test_parts_of_the_page_are_told_apart_by_their_names(reported, tmp_path, monkeypatch):
    monkeypatch.setattr("submissions.evidence.suspects.LIKELY", 0.0)
    monkeypatch.setattr("submissions.evidence.suspects.MOST_OF", 1.0)
    text = write_report(None, reported, known(reported), tmp_path / "page.html").path.read_text(encoding="utf-8")
    assert "Suspects by label" in text
    names = re.findall(r'role="region"[^>]* aria-label="([^"]+)"', text) + re.findall(r"<h2[^>]*>([^<]+)</h2>", text)
    assert len(names) > 20
    assert len(names) == len(set(names))


def test_the_answers_are_those_of_the_evidence(reported, evidence):
    text = (reported.root / FILE).read_text(encoding="utf-8")
    best = evidence.comparison.best.evaluation
    assert f"<strong>{best.name}</strong>: F2 {best.cross_fitted:.4f}" in text
    assert f"<strong>{evidence.comparison.chosen.evaluation.name}</strong>, is chosen" in text
    assert "No submission has a score on the leaderboard yet." in text


@pytest.mark.usefixtures("plain", "little_compared")
def test_a_named_model_is_looked_at_and_an_unknown_one_refused(reported, tmp_path):
    report = write_report("b", reported, known(reported), tmp_path / "b.html")
    assert report.subject.startswith("b alone")
    assert report.path.is_file()
    assert report.size == report.path.stat().st_size
    with pytest.raises(UserError, match="Unknown model or blend 'c'"):
        write_report("c", reported, known(reported), tmp_path / "c.html")
    assert not (tmp_path / "c.html").exists()


def test_without_a_whole_model_there_is_no_report(workspace, tmp_path):
    with pytest.raises(UserError, match="No model has all its folds yet"):
        write_report(None, workspace, known(workspace), tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()


def test_overlays_are_shown_where_they_are_asked_for(hostile, reported):
    text = hostile.read_text(encoding="utf-8")
    number, chips = text.count('<figure class="look">'), text.count('<article class="chip"')
    assert f"has the largest part in the scores: on {chips - chips // 4} of {chips} chips, the most telling." in text
    assert chips - chips // 4 <= number <= MOST_LOOKS * chips
    assert len(re.findall(r'alt="[^"]+, where [ab] looked for [^"]+"', text)) == number
    assert text.count("0.800, with the square hidden 0.200 (odds ÷ 16.0)") == number
    without = (reported.root / FILE).read_text(encoding="utf-8")
    assert '<figure class="look">' not in without
    assert "Overlays show" not in without


@pytest.mark.usefixtures("plain", "little_compared")
def test_a_report_without_a_network_says_so(reported, tmp_path, lines):
    def hide(model, names):
        raise UserError(f"Nothing of '{model}'.")

    given = replace(known(reported), hide=hide)
    report = write_report(None, reported, given, tmp_path / "report.html")
    assert "No overlays: behind" in report.text()
    assert "No overlays: behind" in report.path.read_text(encoding="utf-8")
    assert lines[-1].endswith("cannot be looked through: Nothing of 'b'.") or lines[-1].endswith("Nothing of 'a'.")


def test_the_suspects_are_no_file_of_the_report(reported):
    arguments = ["report", "--workspace", str(reported.root), "--suspects", str(reported.root / FILE)]
    before = (reported.root / FILE).read_bytes()
    result = CliRunner().invoke(run.main, arguments)
    assert result.exit_code == 2
    assert "--suspects is the file of the report" in result.output
    assert (reported.root / FILE).read_bytes() == before
