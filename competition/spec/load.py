"""Competitions by name, and their files."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from competition.common.errors import UserError
from competition.common.files import read_toml
from competition.common.text import cut
from competition.spec.competition import Competition

SHIPPED = Path(__file__).parent.parent / "shipped"
SHOWN = 3  # findings in a line
WIDTH = 80  # characters of what was received
EXPECTED = {  # by pydantic's name of what is wrong, where its words are not those of the file
    "string_pattern_mismatch": "expected letters, digits, '_', '-' and '.', beginning with a letter or digit",
    "string_type": "expected text",
    "tuple_type": "expected a list",
    "dict_type": "expected a section",
    "model_type": "expected a section",
    "model_attributes_type": "expected a section",
}


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
        if named := load_if_shipped(name_or_path):
            return named
        by_slug = {competition.slug: competition for competition in shipped()}
        if name_or_path not in by_slug:
            known = ", ".join(built_in_names())
            meant = f" Did you mean {name_or_path}.toml?" if Path(f"{name_or_path}.toml").is_file() else ""
            raise UserError(
                f"Unknown competition {name_or_path!r}.{meant} Known: {known}; or give the path of a .toml file."
            )
        return by_slug[name_or_path]
    return read_competition(Path(name_or_path))


def load_if_shipped(name: str) -> Competition | None:
    """Return the competition of a name that ships with the toolkit; None if none is called so."""
    return read_competition(SHIPPED / f"{name}.toml") if name in built_in_names() else None


def read_competition(path: Path) -> Competition:
    """Read a competition file.

    Raises:
        UserError: if it cannot be read or is not valid; the line says which entry and why.
    """
    try:
        return Competition.model_validate(read_toml(path, "competition file"))
    except ValidationError as error:
        raise UserError(f"{path} does not describe a competition: {describe(error, Competition)}.") from error


def describe(error: ValidationError, model: type[BaseModel] | None = None) -> str:
    """Return pydantic's findings as one line: which entry, what is wrong, what was received.

    Args:
        error: of the file or a part of it.
        model: what was to be made of it, whose entries an unknown one is compared with; None: of nothing like that.
    """
    count = error.error_count()
    shown = "; ".join(_finding(each, model) for each in error.errors(include_url=False)[:SHOWN])
    return f"{shown}; and {count - SHOWN} more" if count > SHOWN else shown


def _finding(finding: Any, model: type[BaseModel] | None) -> str:
    """Return a finding in the words of the file, where pydantic's are those of a programmer."""
    *sections, last = [str(part)[:WIDTH] for part in finding["loc"] if part != "[key]"] or [""]
    where = ".".join([*sections, last])
    match finding["type"]:
        case "extra_forbidden":
            near = difflib.get_close_matches(last, _entries_at(sections, model) if model else [], n=1)
            under = f" under [{'.'.join(sections)}]" if sections else ""
            return f"unknown entry {last}{under}" + (f" (did you mean {near[0]}?)" if near else "")
        case "missing":
            return f"{where} is missing"
        case "literal_error":
            message = f"expected {finding['ctx']['expected']}"
        case "too_short":
            message = f"expected {finding['ctx']['min_length']} or more"
        case kind:
            message = finding["msg"].removeprefix("Value error, ").replace("Input should be", "expected")
            message = EXPECTED.get(kind, message)
    received = "" if isinstance(finding["input"], dict) else f" (received {cut(repr(finding['input']), WIDTH)})"
    return f"{where}: {message}{received}" if where else f"{message}{received}"


def _entries_at(sections: list[str], model: type[BaseModel]) -> list[str]:
    """Return the entries that a section of the file knows; sections below [images] are those of its values."""
    for section in sections:
        field = model.model_fields.get(section)
        kinds = [] if field is None else [field.annotation, *getattr(field.annotation, "__args__", ())]
        inner = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
        model = inner[0] if inner else model
    return list(model.model_fields)
