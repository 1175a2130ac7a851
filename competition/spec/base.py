"""What every part of a competition's file is made of."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=100)]


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError(f"expected printable text, received {text!r}")
    return text


Text = Annotated[str, AfterValidator(_printable)]  # what is shown on a terminal, which would obey control characters


def toml_key(name: str) -> str:
    """Return a name as a key of a TOML file: in quotes, unless it may do without."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else toml_text(name)


def toml_text(text: str) -> str:
    """Return a text as a TOML file has it: as JSON does, but for the last control character."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")


class Frozen(BaseModel):
    """A part of the file: it cannot be changed, and takes no entry that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _inside(path: str) -> str:
    """Return a relative path that stays where it is looked for."""
    parts = path.split("/")
    if not path.isprintable() or re.search(r'[\\:*?"<>|]', path) or any(part.strip(". ") == "" for part in parts):
        raise ValueError("expected the name of a file or folder, or a path below the data such as 'images/train'")
    return path


def _folder(path: str) -> str:
    return path if path == "." else _inside(path)


def several(value: Any) -> Any:
    """Return one name as a list of it."""
    return [value] if isinstance(value, str) else value


# A file or folder among the data, possibly in folders: it never leads out of them.
Place = Annotated[str, AfterValidator(_inside)]
Places = Annotated[tuple[Place, ...], BeforeValidator(several)]
# A folder may also be ".", the one that holds all files.
Folders = Annotated[tuple[Annotated[str, AfterValidator(_folder)], ...], BeforeValidator(several)]
