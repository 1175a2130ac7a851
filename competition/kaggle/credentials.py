"""Kaggle's credentials: where the official client looks for them, and how they are kept out of every line."""

from __future__ import annotations

import json
import os
import re
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from competition.common.errors import UserError
from competition.common.text import hiding

TOKEN_PAGE = "https://www.kaggle.com/settings/api"


@dataclass(frozen=True)
class Credentials:
    """The credentials that the client will use.

    Attributes:
        source: where they are, for people: an environment variable or a file.
        file: the file, if they are in one.
    """

    source: str
    file: Path | None = None

    def warning(self) -> str:
        """Return a line if others than the owner may read the file; "" otherwise."""
        if self.file is None or os.name == "nt" or not stat.S_IMODE(self.file.stat().st_mode) & 0o077:
            return ""
        return f'Warning: other users of this machine may read {self.file}. Run "chmod 600 {self.file}".'


def find_credentials() -> Credentials:
    """Return the first credentials in the order in which the official client looks for them.

    Raises:
        UserError: if there are none, with the places and how to get a token; or if a file of them is not complete.
    """
    home, config = Path.home() / ".kaggle", config_folder()
    if value := os.environ.get("KAGGLE_API_TOKEN"):
        path = _existing(value)
        _check_token(_read(path) if path else value, f"{path}" if path else "KAGGLE_API_TOKEN")
        return Credentials(f"the file {path} that KAGGLE_API_TOKEN names" if path else "KAGGLE_API_TOKEN", path)
    for path in (home / "access_token", home / "access_token.txt"):
        if path.is_file() and _read(path).strip():
            _check_token(_read(path), str(path))
            return Credentials(str(path), path)
    if os.environ.get("KAGGLE_USERNAME") and os.environ.get("KAGGLE_KEY"):
        return Credentials("KAGGLE_USERNAME and KAGGLE_KEY")
    path = config / "kaggle.json"
    if path.is_file():
        if not {"username", "key"} <= _read_json(path).keys():
            raise UserError(
                f'{path} holds no credentials: expected {{"username": ..., "key": ...}}. Get a new one at {TOKEN_PAGE}.'
            )
        return Credentials(str(path), path)
    path = home / "credentials.json"  # of `kaggle auth login`
    if path.is_file():
        return Credentials(str(path), path)
    raise UserError(
        "No Kaggle credentials. Looked for KAGGLE_API_TOKEN (a token, or the path of a file with it), "
        f"{home / 'access_token'}, KAGGLE_USERNAME with KAGGLE_KEY, and {config / 'kaggle.json'}. "
        f'Get a token at {TOKEN_PAGE} ("Generate New Token") and save it, for you alone: "mkdir -p {home}; '
        f'cat > {home / "access_token"}; chmod 600 {home / "access_token"}". Or run "kaggle auth login".'
    )


def redact(text: str) -> str:
    """Return `text` without any of the user's credentials, wherever they come from."""
    return re.sub(r"(?i)\b(basic|bearer)\s+[\w+/=.~-]{8,}", r"\1 ***", hiding(text, _secrets()))


def config_folder() -> Path:
    """Return the folder of `kaggle.json`, as the client chooses it."""
    if given := os.environ.get("KAGGLE_CONFIG_DIR"):
        return Path(given)
    home = Path.home() / ".kaggle"
    xdg = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "kaggle"
    return xdg if not home.exists() and (xdg / "kaggle.json").is_file() else home


def _secrets() -> list[str]:
    home = Path.home() / ".kaggle"
    token = os.environ.get("KAGGLE_API_TOKEN", "")
    named = _existing(token)
    values = ["" if named else token.strip(), os.environ.get("KAGGLE_KEY", "")]
    paths = [home / "access_token", home / "access_token.txt", named]
    values += [_read(path).strip() for path in paths if path is not None]
    for path in (config_folder() / "kaggle.json", home / "credentials.json"):
        content = _read_json(path)
        values += [str(content.get(name, "")) for name in ("key", "token", "access_token", "refresh_token")]
    return values


def _check_token(token: str, source: str) -> None:
    token = token.rstrip("\r\n") if source != "KAGGLE_API_TOKEN" else token  # the client strips what is in a file
    if not (token.isascii() and token.isprintable() and token.strip()):
        raise UserError(f"{source} holds no token: expected one line of letters. Get a new one at {TOKEN_PAGE}.")


def _existing(value: str) -> Path | None:
    """Return the file that `value` names, None if it is no file's name."""
    with suppress(OSError, ValueError):  # a long token is too long for a name
        path = Path(value)
        if value and path.is_file():
            return path
    return None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _read_json(path: Path) -> dict[str, object]:
    try:
        content = json.loads(_read(path))
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
