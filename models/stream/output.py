"""The folder that many processes write their scores to, anywhere: one Parquet file for some thousand chips each.

Layout of the folder, in which readers of Parquet leave alone what begins with "_":

    _plan.json            what is scored by what, in which parts; written first
    part-00012.parquet    id, the scores of the labels, and the tags if these are asked for, in the order of the ids
    _part-00012.json      lines for the chips of a part that were left out as broken, if any; before the part itself
    _done.json            written last: all parts are there
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from competition.common.errors import UserError
from competition.common.files import scratch_folder
from competition.common.records import DamagedError
from competition.remote.notes import read_note, write_note
from competition.remote.places import Place
from folds.store.scores import write_tables
from models.predict.predictions import Predictions

FORMAT = 1
PLAN, MARKER = "_plan.json", "_done.json"
PART, LEFT_OUT = r"part-(\d+)\.parquet", r"_part-(\d+)\.json"
LARGEST_PART = 2**32  # bytes
ADVICE = "Give another --output, or take what is there away."


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
            try:
                there = read_note(self.place, PLAN, dict, version=FORMAT)
            except DamagedError as error:
                raise UserError(f"{error} {ADVICE}") from error
            if differing := [name for name, value in plan.items() if there.get(name) != value]:
                raise UserError(
                    f"{self.place.url} holds predictions that were made with other {', '.join(differing)}. {ADVICE}"
                )
        elif names:
            raise UserError(f"{self.place.url} holds other files. Give --output an empty folder, or a new one.")
        else:
            write_note(self.place, PLAN, plan, version=FORMAT)
        return set(_numbers(names, PART))

    def write(
        self, part: int, predictions: Predictions, labels: Sequence[str], tags: Sequence[str] | None = None
    ) -> None:
        """Write the scores of a part, as exact as they are.

        Args:
            part: its number.
            predictions: its scores.
            labels: that have scores.
            tags: decided for each chip.
        """
        competition, scores = predictions.competition, predictions.scores
        pyarrow, parquet = _arrow()
        columns = {competition.tables.id_column: pyarrow.array(scores.names, pyarrow.string())}
        for label, values in zip(competition.labels, scores.values.T, strict=True):
            if label in labels:
                columns[label] = pyarrow.array(np.ascontiguousarray(values), pyarrow.float32())
        if tags is not None:
            columns["tags"] = pyarrow.array(tags, pyarrow.string())
        if predictions.left_out:
            write_note(self.place, f"_part-{part:05}.json", {"left_out": list(predictions.left_out)}, version=FORMAT)
        with scratch_folder() as folder:
            parquet.write_table(pyarrow.table(columns), folder / "part.parquet", write_page_checksum=True)
            self.place.send(folder / "part.parquet", _name(part))

    def end(self, num_chips: int, num_parts: int) -> list[str]:
        """Say that all parts are there; return a line for each chip that was left out as broken.

        Raises:
            UserError: if parts are not there, as a machine has written them elsewhere.
        """
        names = self.place.names_in("")
        if lacking := set(range(num_parts)) - set(_numbers(names, PART)):
            raise UserError(
                f"{self.place.url} lacks {len(lacking):,} of {num_parts:,} parts, which another machine wrote to a "
                "folder of its own. Give --output a folder that all machines share, or a URL."
            )
        notes = sorted(name for name in names if re.fullmatch(LEFT_OUT, name))
        left_out = [line for name in notes for line in read_note(self.place, name, _left_out, version=FORMAT)]
        content = {"chips": num_chips - len(left_out), "left_out": left_out}
        write_note(self.place, MARKER, content, version=FORMAT)
        return left_out

    def write_csv(self, path: Path, num_parts: int, columns: Sequence[str]) -> None:
        """Write all scores into one CSV file, as one process does, a part at a time.

        Args:
            path: of the file.
            num_parts: how many there are.
            columns: that each has; their names are all that no checksum is of.

        Raises:
            UserError: if a part is damaged.
        """
        write_tables(path, (self._read(part, list(columns)) for part in range(num_parts)))

    def _read(self, part: int, columns: list[str]) -> Any:
        _, parquet = _arrow()
        shown = f"{self.place.url}/{_name(part)}"
        with scratch_folder() as folder:
            if reason := self.place.fetch(_name(part), folder / "part.parquet", LARGEST_PART):
                raise UserError(f"{shown} cannot be read: {reason}. Run the same command again.")
            try:
                table = parquet.read_table(folder / "part.parquet", page_checksum_verification=True).to_pandas()
                if table.columns.tolist() != columns:
                    raise ValueError("other columns")
                return table
            except Exception as error:  # Arrow raises whatever it likes on a damaged file
                raise UserError(f"{shown} is damaged. Take it away, and run the same command again.") from error

    def remove(self) -> None:
        """Remove all that was written."""
        names = self.place.names_in("")
        ours = [name for name in names if re.fullmatch(f"{PART}|{LEFT_OUT}", name) or name in (PLAN, MARKER)]
        self.place.remove(*sorted(ours, key=lambda name: name == PLAN))  # last what says whose the others are


def _arrow() -> tuple[Any, Any]:
    try:
        return importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        raise UserError(
            f"Parquet files need pyarrow: {error}. Install it by 'pip install -e \".[cluster]\"'."
        ) from error


def _name(part: int) -> str:
    return f"part-{part:05}.parquet"


def _numbers(names: Sequence[str], pattern: str) -> Iterator[int]:
    return (int(found[1]) for name in names if (found := re.fullmatch(pattern, name)))


def _left_out(content: dict[str, Any]) -> list[str]:
    return [str(line) for line in content["left_out"]]
