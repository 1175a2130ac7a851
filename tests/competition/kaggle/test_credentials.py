"""Credentials are found where the client finds them, and shown nowhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from competition.common.errors import UserError
from competition.kaggle.credentials import find_credentials, redact

SECRET = "KGAT_5ecre75ecre75ecre7"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("KAGGLE_API_TOKEN", "KAGGLE_USERNAME", "KAGGLE_KEY", "KAGGLE_CONFIG_DIR", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / ".kaggle").mkdir()
    return tmp_path / ".kaggle"


def test_without_any_the_places_are_named(home: Path) -> None:
    with pytest.raises(UserError) as raised:
        find_credentials()
    for place in ("KAGGLE_API_TOKEN", "access_token", "KAGGLE_USERNAME with KAGGLE_KEY", "kaggle.json"):
        assert place in str(raised.value)
    assert "https://www.kaggle.com/settings/api" in str(raised.value)


def test_the_places_are_looked_at_in_the_clients_order(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "kaggle.json").write_text(json.dumps({"username": "u", "key": SECRET}))
    assert find_credentials().source == str(home / "kaggle.json")
    monkeypatch.setenv("KAGGLE_USERNAME", "u")
    monkeypatch.setenv("KAGGLE_KEY", SECRET)
    assert find_credentials().source == "KAGGLE_USERNAME and KAGGLE_KEY"
    (home / "access_token").write_text(SECRET)
    assert find_credentials().source == str(home / "access_token")
    monkeypatch.setenv("KAGGLE_API_TOKEN", SECRET)
    assert find_credentials().source == "KAGGLE_API_TOKEN"
    (home / "mine").write_text(SECRET)
    monkeypatch.setenv("KAGGLE_API_TOKEN", str(home / "mine"))
    assert find_credentials().file == home / "mine"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"username": "u"}'])
def test_half_a_file_is_named(content: str, home: Path) -> None:
    (home / "kaggle.json").write_text(content)
    with pytest.raises(UserError, match=r"kaggle\.json holds no credentials: expected"):
        find_credentials()


@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o640, True), (0o604, True), (0o400, False)])
def test_a_file_that_others_may_read_is_warned_of(mode: int, warned: bool, home: Path) -> None:
    path = home / "access_token"
    path.write_text(SECRET)
    path.chmod(mode)
    assert ("chmod 600" in find_credentials().warning()) == warned


def test_no_credential_stays_in_a_text(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = [f"{SECRET}{number}" for number in range(5)]
    (home / "kaggle.json").write_text(json.dumps({"username": "u", "key": values[0]}))
    (home / "credentials.json").write_text(json.dumps({"refresh_token": values[1], "access_token": values[2]}))
    (home / "access_token").write_text(values[3] + "\n")
    monkeypatch.setenv("KAGGLE_API_TOKEN", values[4])
    monkeypatch.setenv("KAGGLE_KEY", SECRET)  # the beginning of the others
    text = " ".join([*values, SECRET, "the rest stays"])
    assert redact(text) == "*** " * 6 + "the rest stays"
    assert redact("header Authorization: Basic dXNlcjowZjFl= stays") == "header Authorization: Basic *** stays"
    monkeypatch.setenv("KAGGLE_API_TOKEN", str(home / "access_token"))
    assert "access_token" in redact(f"{home / 'access_token'}")  # a path is no secret


@pytest.mark.parametrize("content", [b"\xff\xfe\x00a", b"two\nlines", "schlüssel".encode()])
def test_what_is_no_token_is_named_and_not_shown(content: bytes, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = home / "access_token"
    path.write_bytes(content)
    with pytest.raises(UserError) as raised:
        find_credentials()
    assert str(raised.value).startswith(f"{path} holds no token: expected one line")
    monkeypatch.setenv("KAGGLE_API_TOKEN", "two\nlines")
    with pytest.raises(UserError, match=r"^KAGGLE_API_TOKEN holds no token"):
        find_credentials()
