"""How things are written for people."""

from __future__ import annotations

import re

import pytest

from competition.common.text import counted, day, first, hiding, now, readable, short, without_secrets


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1 kB"),
        (999_499, "999 kB"),
        (1_500_000, "1.5 MB"),
        (1_234_500_000_000, "1,234.5 GB"),
    ],
)
def test_sizes_are_short(size: int, text: str) -> None:
    assert readable(size) == text


def test_one_of_a_kind_is_not_several() -> None:
    assert [counted(number, "view") for number in (0, 1, 8, 8000)] == ["0 views", "1 view", "8 views", "8,000 views"]


def test_only_the_first_names_are_shown() -> None:
    assert first(range(5)) == "0, 1, 2, 3, 4"
    assert first(range(7)) == "0, 1, 2, 3, 4 and 2 more"
    assert first(iter("abc"), shown=1) == "a and 2 more"
    assert first([]) == ""


def test_digests_and_days_are_cut() -> None:
    assert short("0123456789abcdef") == "01234567"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d", day(now()))
    assert day("2017-07-20T23:59:01+00:00") == "2017-07-20 23:59"
    assert day("") == "an unknown day"


def test_secrets_of_the_environment_and_of_addresses_are_hidden(monkeypatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "abcdef/123")
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "parallel")
    monkeypatch.setenv("MONKEY", "gibbons")
    monkeypatch.setenv("A_TOKEN", "x")
    said = "abcdef/123 was refused by s3://me:pw@host/x?sig=1 for parallel gibbons x"
    assert without_secrets(said) == "*** was refused by s3://host/x for parallel gibbons x"
    assert hiding("a longer one, longer, one", ["a longer one", "longer", "one"]) == "***, ***, one"
