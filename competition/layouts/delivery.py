"""How a competition's files are delivered, beyond what its own file says of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class SideFile:
    """A further text file in the delivery that nobody needs; there always is one.

    Attributes:
        line: template of a line, with the fields of a chip; or of a label, "{number}" and "{label}".
        of: what there is a line for.
        header: the first line; none if it is empty.
    """

    line: str
    of: Literal["train", "test", "labels"] = "train"
    header: str = ""


@dataclass(frozen=True)
class Delivery:
    """How one competition is delivered. Templates hold fields of a chip, in braces; `chips.fields_of` has them all.

    Attributes:
        chip_id: template of an id; "" is some hexadecimal digits, with what the competition's ids hold besides.
        inside: template of the folder within the image folder in which a chip's files lie.
        columns: order of the columns of the training table, where it is not ids, labels and then `more`.
        more: template of the cells of further columns, by their name.
        repeated: how many chips stand in the training table twice.
        answer: what every row of the sample submission says; "" is the first label, or 0.
        is_split: whether the sample submission is a table of labels like that of training, as splits are delivered.
        union: a label that is there wherever any other is.
        aspects: width by height of the chips, in turn.
        grey: whether chips are saved as grey pictures, whatever the bands.
        opaque: one chip in so many is saved with a band of opacity, which is no data; 0 for none.
        smaller: by band, how many times fewer pixels it has along each side.
        side_files: further files, by name.
        packed: archives by name, in the order in which they are made, and what goes into each; of "folder/" what lies
            in that folder, without the folder itself.
    """

    chip_id: str = ""
    inside: str = ""
    columns: tuple[str, ...] = ()
    more: Mapping[str, str] = field(default_factory=dict)
    repeated: int = 0
    answer: str = ""
    is_split: bool = False
    union: str | None = None
    aspects: tuple[float, ...] = (1.0,)
    grey: bool = False
    opaque: int = 0
    smaller: Mapping[str, int] = field(default_factory=dict)
    side_files: Mapping[str, SideFile] = field(default_factory=dict)
    packed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
