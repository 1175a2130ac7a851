"""The folder of the parts: what another plan makes is not mixed with it, and readers of Parquet take it as it is."""

from __future__ import annotations

from pathlib import Path

import fsspec
import numpy as np
import pandas as pd
import pytest

from competition.common.errors import UserError
from competition.remote.places import Place
from folds.store.scores import Scores
from models.predict.predictions import Predictions
from models.stream.output import MARKER, PLAN, Output
from tests.models.samples import PLANET

PLAN_OF = {"model": {"file": "abc"}, "chips": "def", "part": 2}
LABELS = PLANET.labels[:2]
COLUMNS = ["image_name", *LABELS]


def predictions(*names: str, left_out: tuple[str, ...] = ()) -> Predictions:
    values = np.full((len(names), len(PLANET.labels)), np.nan, np.float32)
    values[:, :2] = np.random.default_rng(len(names)).random((len(names), 2))
    return Predictions(Scores(names, values), PLANET, left_out)


@pytest.fixture(params=["folder", "memory://team/deep"])
def output(request, tmp_path: Path) -> Output:
    fsspec.filesystem("memory").store.clear()
    return Output(Place.of(request.param.replace("folder", str(tmp_path / "parts"))))


def test_parts_that_are_there_are_known_and_the_marker_comes_last(output: Output) -> None:
    assert output.begin(PLAN_OF) == set()
    output.write(1, predictions("c", left_out=("Broken chip d.",)), LABELS, ["haze"])
    assert output.begin(PLAN_OF) == {1}
    with pytest.raises(UserError, match=r"lacks 1 of 2 parts, which another machine wrote .* or a URL\.$"):
        output.end(4, 2)
    assert MARKER not in output.place.names_in("")
    output.write(0, predictions("a", "b"), LABELS, ["road", "haze water"])
    assert output.end(4, 2) == ["Broken chip d."]
    assert MARKER in output.place.names_in("")
    output.remove()
    assert output.place.names_in("") == []


def test_all_parts_are_one_table_as_exact_as_the_scores(tmp_path: Path) -> None:
    output = Output(Place.of(str(tmp_path)))
    output.begin(PLAN_OF)
    some, more, none = predictions("a", "b"), predictions("c"), predictions(left_out=("Broken chip d.",))
    for part, each in enumerate((some, more, none)):
        output.write(part, each, LABELS)
    output.end(4, 3)
    table = pd.read_parquet(tmp_path)
    assert table.columns.tolist() == ["image_name", *LABELS]
    assert table["image_name"].tolist() == ["a", "b", "c"]
    expected = np.concatenate([some.scores.values, more.scores.values])[:, :2]
    np.testing.assert_array_equal(table[list(LABELS)].to_numpy(), expected)


@pytest.mark.parametrize("tags", [None, ["haze", 'a "b",c', "road"]])
def test_the_csv_of_all_parts_is_that_of_one_process(tmp_path: Path, tags: list[str] | None) -> None:
    output, some, more = Output(Place.of(str(tmp_path / "parts"))), predictions("a", "b"), predictions("c")
    output.begin(PLAN_OF)
    output.write(0, some, LABELS, tags and tags[:2])
    output.write(1, more, LABELS, tags and tags[2:])
    output.write_csv(tmp_path / "joined.csv", 2, [*COLUMNS, "tags"] if tags else COLUMNS)
    values = np.concatenate([some.scores.values, more.scores.values])
    Scores(("a", "b", "c"), values).write_table(tmp_path / "one.csv", PLANET, tags)
    assert (tmp_path / "joined.csv").read_bytes() == (tmp_path / "one.csv").read_bytes()


def test_a_byte_that_has_changed_is_named_or_changes_nothing(tmp_path: Path) -> None:
    output = Output(Place.of(str(tmp_path / "parts")))
    output.begin(PLAN_OF)
    output.write(0, predictions("a", "b"), LABELS)
    path = tmp_path / "parts" / "part-00000.parquet"
    output.write_csv(tmp_path / "right.csv", 1, COLUMNS)
    whole, right = path.read_bytes(), (tmp_path / "right.csv").read_bytes()
    said = set[str]()
    for place in range(0, len(whole), 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        try:
            output.write_csv(tmp_path / "joined.csv", 1, COLUMNS)
        except UserError as error:
            said.add(str(error))
        else:
            assert (tmp_path / "joined.csv").read_bytes() == right
    assert said == {f"{path} is damaged. Take it away, and run the same command again."}
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match="is damaged"):
        output.write_csv(tmp_path / "never.csv", 1, COLUMNS)
    assert not (tmp_path / "never.csv").exists()


def test_what_another_plan_made_is_refused(output: Output, tmp_path: Path) -> None:
    output.begin(PLAN_OF)
    with pytest.raises(UserError, match=r"holds predictions that were made with other model, part\. Give another --ou"):
        output.begin({**PLAN_OF, "model": {}, "part": 3})
    with output.place.fs.open(output.place.path(PLAN), "wb") as file:
        file.write(b"{")
    with pytest.raises(UserError, match=rf"{PLAN} is damaged: .* Give another --output, or take what is there away\."):
        output.begin(PLAN_OF)
    (other := tmp_path / "other").mkdir()
    (other / "holiday.jpg").touch()
    with pytest.raises(UserError, match=r"holds other files\. Give --output an empty folder, or a new one\."):
        Output(Place.of(str(other))).begin(PLAN_OF)
