"""Competitions by name, and their files."""

from __future__ import annotations

import tomllib
from pathlib import Path

from pydantic import ValidationError

from competition.common.errors import UserError
from competition.spec.competition import Competition

SHIPPED = Path(__file__).parent.parent / "shipped"
SHOWN = 3  # findings in a line
WIDTH = 80  # characters of what was received


def built_in_names() -> list[str]:
    """Return the names of the competitions that ship with the toolkit."""
    return sorted(path.stem for path in SHIPPED.glob("*.toml"))


def shipped() -> list[Competition]:
    """Return the competitions that ship with the toolkit, by name."""
    return [read_competition(SHIPPED / f"{name}.toml") for name in built_in_names()]


def load(name_or_path: str) -> Competition:
    """Read a competition.

    Args:
        name_or_path: a name that ships with the toolkit ("planet"), Kaggle's name of such a competition, or the path
            of a `.toml` file.

    Raises:
        UserError: if there is no such competition, or its file is not valid; the line says which entry and why.
    """
    if not name_or_path.endswith(".toml"):
        if name_or_path in built_in_names():
            return read_competition(SHIPPED / f"{name_or_path}.toml")
        by_slug = {competition.slug: competition for competition in shipped()}
        if name_or_path not in by_slug:
            known = ", ".join(built_in_names())
            raise UserError(f"Unknown competition {name_or_path!r}. Known: {known}; or give the path of a .toml file.")
        return by_slug[name_or_path]
    return read_competition(Path(name_or_path))


def read_competition(path: Path) -> Competition:
    """Read a competition file.

    Raises:
        UserError: if it cannot be read or is not valid; the line says which entry and why.
    """
    try:
        return Competition.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise UserError(f"Cannot read the competition file {path}: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not valid TOML: {error}.") from error
    except ValidationError as error:
        raise UserError(f"{path} does not describe a competition: {describe(error)}.") from error


def describe(error: ValidationError) -> str:
    """Return pydantic's findings as one line: which entry, what is wrong, what was received."""
    findings = []
    for finding in error.errors(include_url=False):
        where = ".".join(str(part) for part in finding["loc"]) or "file"
        message = finding["msg"].removeprefix("Value error, ")
        received = "" if isinstance(finding["input"], dict) else f" (received {_cut(finding['input'])})"
        findings.append(f"{where}: {message}{received}")
    shown = "; ".join(findings[:SHOWN])
    return f"{shown}; and {len(findings) - SHOWN} more" if len(findings) > SHOWN else shown


def _cut(value: object) -> str:
    text = repr(value)
    return text if len(text) <= WIDTH else text[:WIDTH] + "..."
