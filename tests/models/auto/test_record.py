"""The record of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from competition.common.errors import UserError
from competition.common.records import DamagedError
from models.auto.record import FILE, Done, Record
from models.plan.speeds import Speeds
from models.plan.steps import Bank, Step, same_views
from models.plan.worth import JOINT, VIEWS

SETTINGS: dict[str, Any] = {"weights": None, "models": [], "skip_broken": False, "folds": "a" * 64}
BANKS = [Bank("densenet121_levels", "densenet121", 64, VIEWS[-1]), Bank("vgg16_levels", "vgg16", 48, VIEWS[1])]
DONE = [Done(Step(same_views(BANKS), JOINT), 10.0, 12.0, 0.9, 0.01, 0.002, "mean")]


def test_it_says_the_same_when_it_is_read_again(tmp_path: Path) -> None:
    record = Record(SETTINGS, 33.0, 0.6, "F2", Speeds({"a 32": 0.1}), {"fit dense": 2.0}, DONE, {"x": "no"})
    record.write(tmp_path)
    assert Record.of(tmp_path, "best", SETTINGS) == record
    assert record.steps == [DONE[0].step]


def test_a_new_run_begins_with_nothing(tmp_path: Path) -> None:
    assert Record.of(tmp_path / "none", "best", SETTINGS) == Record(SETTINGS)


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({"models": ["a", "b"]}, "was begun with no --models; received --models a,b"),
        ({"skip_broken": True}, "was begun with no --skip-broken; received --skip-broken"),
        ({"weights": "/w"}, "was begun with no --weights; received --weights /w"),
        ({"folds": "b" * 64}, "was begun with the fold table aaaaaaaa; received the fold table bbbbbbbb"),
    ],
)
def test_other_flags_are_refused_in_one_line(changed: dict[str, object], line: str, tmp_path: Path) -> None:
    Record(SETTINGS, done=DONE).write(tmp_path)
    with pytest.raises(UserError) as error:
        Record.of(tmp_path, "best", {**SETTINGS, **changed})
    assert str(error.value) == f"'best' {line}. Give the same flags to go on with it, or another --name."


def test_flags_that_were_a_mistake_bind_to_nothing(tmp_path: Path) -> None:
    Record(SETTINGS, spent=3.0).write(tmp_path)
    mended = {**SETTINGS, "skip_broken": True}
    assert Record.of(tmp_path, "best", mended) == Record(mended, 3.0)


@pytest.mark.parametrize("content", ["{}", '{"spent": 1}', "[]", "", '{"settings": {}, "done": [{"step": 3}]}'])
def test_a_damaged_one_says_what_to_remove(content: str, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(content)
    with pytest.raises(DamagedError, match="is damaged"):
        Record.of(tmp_path, "best", SETTINGS)
