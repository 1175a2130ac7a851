"""An entry of a tracker: everything that it is told of one result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Figure:
    """A number.

    Attributes:
        name: what is shown; a "/" puts it into a group.
        value: the number.
        step: of a row of numbers, such as an epoch; 0: it stands alone.
        when: in seconds since 1970; None: when the result was finished.
    """

    name: str
    value: float
    step: int = 0
    when: float | None = None


@dataclass(frozen=True)
class Entry:
    """A result, such as a fold of a model, or a comparison.

    Attributes:
        name: what is shown.
        began: when its making began, in seconds since 1970.
        ended: when that ended.
        settings: what it was made by, as people give it.
        tags: what it belongs to, such as digests and versions.
        figures: its numbers.
        files: small files to keep with it, by the path under which they are shown.
        texts: further files, of which this is the content.
    """

    name: str
    began: float
    ended: float
    settings: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    figures: Sequence[Figure] = ()
    files: Mapping[str, Path] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
