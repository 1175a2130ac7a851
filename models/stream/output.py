"""The folder that many processes write their scores to, anywhere: one Parquet file for some thousand chips each.

Layout of the folder:

    plan.json             what is scored by what, in which parts; written first
    part-00012.parquet    id, the scores of the labels, and the tags if these are asked for, in the order of the ids
    part-00012.json       lines for the chips of a part that were left out as broken, if any; before the part itself
    predictions.json      written last: all parts are there
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from competition.common.errors import UserError
from competition.common.files import scratch_folder
from competition.remote.notes import read_note, write_note
from competition.remote.places import Place
from models.predict.predictions import Predictions

FORMAT = 1
PLAN, MARKER = "plan.json", "predictions.json"


@dataclass(frozen=True)
class Output:
    """The folder of the parts.

    Attributes:
        place: where it is.
    """

    place: Place

    def begin(self, plan: Mapping[str, Any]) -> set[int]:
        """Begin, or go on; return the numbers of the parts that are done.

        Raises:
            UserError: if it holds something else than what the plan makes.
        """
        names = self.place.names_in("")
        if PLAN in names:
            there = read_note(self.place, PLAN, dict, version=FORMAT)
            if differing := [name for name, value in plan.items() if there.get(name) != value]:
                raise UserError(
                    f"{self.place.url} holds predictions made with other {', '.join(differing)}. Give another "
                    "--output, or take what is there away."
                )
        elif names:
            raise UserError(f"{self.place.url} holds other files. Give --output an empty folder, or a new one.")
        else:
            write_note(self.place, PLAN, plan, version=FORMAT)
        parts = (name.removeprefix("part-").removesuffix(".parquet") for name in names if name.endswith(".parquet"))
        return {int(part) for part in parts if part.isdigit()}

    def write(self, part: int, predictions: Predictions, tags: Sequence[str] | None) -> None:
        """Write the scores of a part, as exact as they are."""
        competition, scores = predictions.competition, predictions.scores
        pyarrow, parquet = (importlib.import_module(name) for name in ("pyarrow", "pyarrow.parquet"))
        columns = {competition.tables.id_column: pyarrow.array(scores.names, pyarrow.string())}
        for label, values in zip(competition.labels, scores.values.T, strict=True):
            if not np.isnan(values).any():
                columns[label] = pyarrow.array(np.ascontiguousarray(values), pyarrow.float32())
        if tags is not None:
            columns["tags"] = pyarrow.array(tags, pyarrow.string())
        if predictions.left_out:
            write_note(self.place, f"part-{part:05}.json", {"left_out": list(predictions.left_out)}, version=FORMAT)
        with scratch_folder() as folder:
            parquet.write_table(pyarrow.table(columns), folder / "part.parquet")
            self.place.send(folder / "part.parquet", f"part-{part:05}.parquet")

    def end(self, num_chips: int) -> list[str]:
        """Say that all parts are there; return a line for each chip that was left out as broken."""
        names = [name for name in self.place.names_in("") if name.startswith("part-") and name.endswith(".json")]
        left_out = [line for name in names for line in read_note(self.place, name, _left_out, version=FORMAT)]
        content = {"chips": num_chips - len(left_out), "left_out": left_out}
        write_note(self.place, MARKER, content, version=FORMAT)
        return left_out


def _left_out(content: dict[str, Any]) -> list[str]:
    return [str(line) for line in content["left_out"]]
