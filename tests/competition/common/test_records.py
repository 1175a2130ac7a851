"""Records: what is written is read, and what was damaged or changed is noticed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from competition.common.errors import UserError
from competition.common.records import DamagedError, read_record, write_record

NAMES = st.text(min_size=1, max_size=8).filter(lambda name: name not in ("format", "digest"))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=8), values, max_size=3),
    max_leaves=6,
)


def read(path: Path, **how: Any) -> dict[str, Any]:
    return read_record(path, dict, version=3, **how)


@given(content=st.dictionaries(NAMES, VALUES, max_size=4))
@settings(deadline=None, max_examples=25)
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, content: dict[str, Any]) -> None:
    path = tmp_path_factory.mktemp("record") / "a.json"
    body = write_record(path, content, version=3)
    assert list(body) == ["format", *content, "digest"]
    assert json.loads(path.read_text(encoding="utf-8")) == body
    assert read(path) == content


def test_tuples_and_numbers_as_names_are_read_as_json_has_them(tmp_path: Path) -> None:
    write_record(tmp_path / "a.json", {"folds": {0: (1, 2)}}, version=3)
    assert read(tmp_path / "a.json") == {"folds": {"0": [1, 2]}}


@pytest.mark.parametrize("content", ['{"a": 1}', '{"format": 3, "a": 1}'])
def test_records_of_before_are_read(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.json").write_text(content)
    assert read(tmp_path / "a.json") == {"a": 1}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "Expecting value: line 1 column 1"),
        ('{"a": 1', "Expecting"),
        ("[1]", r"expected an object, received \[1\]"),
        ("null", "expected an object, received None"),
        (b"\xff", "'utf-8' codec can't decode"),
        ('{"format": 3, "a": 2, "digest": "0"}', "its digest is that of another content"),
        ('{"format": 4, "a": 1}', None),
        (None, None),
    ],
)
def test_damage_names_the_file_the_reason_and_what_mends_it(
    tmp_path: Path, content: str | bytes | None, reason: str | None
) -> None:
    path = tmp_path / "a.json"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    said = f"is damaged: {reason}.*" if reason else "(is missing|expected format 3, received 4)"
    with pytest.raises(DamagedError, match=rf'a\.json .*{said}\. Run "python run.py mend", or wait\.$') as caught:
        read(path, command="mend", otherwise="wait")
    assert "\n" not in str(caught.value)


def test_a_changed_value_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_record(path, {"a": 1}, version=3)
    path.write_text(path.read_text().replace('"a": 1', '"a": 2'))
    with pytest.raises(DamagedError, match="digest"):
        read(path)


def test_content_that_cannot_be_parsed_is_damage_and_a_user_error_goes_through(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_record(path, {"a": 1}, version=3)
    with pytest.raises(DamagedError, match=r"is damaged: it lacks 'b'\."):
        read_record(path, lambda content: content["b"], version=3)

    def refuse(content: dict[str, Any]) -> None:
        raise UserError("Of another competition.")

    with pytest.raises(UserError, match=r"^Of another competition\.$") as caught:
        read_record(path, refuse, version=3)
    assert not isinstance(caught.value, DamagedError)


@pytest.mark.parametrize("own", [{"digest": "x"}, {"format": 2}])
def test_content_with_a_digest_or_format_of_its_own_is_no_record(tmp_path: Path, own: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="has its own"):
        write_record(tmp_path / "x.json", own, version=1)


def test_json_too_deep_to_read_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text("[" * 100_000)
    with pytest.raises(DamagedError, match="is damaged"):
        read_record(path, dict, version=1)


def test_older_formats_are_read_where_that_is_asked_for(tmp_path: Path) -> None:
    write_record(tmp_path / "x.json", {"a": 1}, version=1)
    assert read_record(tmp_path / "x.json", dict, version=2, older=(1,)) == {"a": 1}
    with pytest.raises(DamagedError, match="expected format 3, received 1"):
        read_record(tmp_path / "x.json", dict, version=3, older=(2,))
