"""What a run has done so far, on disk, so that the same command goes on.

Layout of a run's folder:

    auto.json      flags, seconds spent, speeds, and what each step took and added
    best.json      the best so far, and how it was chosen; written by whoever chooses
    recipes.toml   the recipes of banks that joint heads stand on
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from competition.common.errors import UserError
from competition.common.records import read_record, write_record
from models.plan.speeds import Speeds
from models.plan.steps import Bank, Step
from models.plan.worth import VIEWS

FILE, FORMAT = "auto.json", 1


@dataclass(frozen=True)
class Done:
    """A step that was carried out, and what it added.

    Attributes:
        step: the model.
        planned: seconds foreseen.
        taken: seconds taken.
        value: the metric of the best so far after it.
        gain: what it added to that.
        error: standard error of the difference that it made.
        chosen: the best after it.
    """

    step: Step
    planned: float
    taken: float
    value: float
    gain: float
    error: float
    chosen: str


@dataclass
class Record:
    """A run as it is recorded.

    Attributes:
        settings: the flags, and the digest of the fold table.
        spent: seconds taken so far.
        start: the metric before the first step.
        metric: its title.
        speeds: of the machine.
        corrections: of what steps take.
        done: steps carried out.
        failed: by the name of a step that could not be carried out, why.
    """

    settings: dict[str, Any]
    spent: float = 0.0
    start: float | None = None
    metric: str = ""
    speeds: Speeds = field(default_factory=Speeds)
    corrections: dict[str, float] = field(default_factory=dict)
    done: list[Done] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def steps(self) -> list[Step]:
        """The steps carried out."""
        return [done.step for done in self.done]

    def write(self, folder: Path) -> None:
        """Write the record to a run's folder."""
        write_record(folder / FILE, asdict(self), version=FORMAT)

    @classmethod
    def read(cls, folder: Path) -> Record:
        """Read the record of a run's folder.

        Raises:
            UserError: if it is damaged.
        """

        def parse(content: dict[str, Any]) -> Record:
            values = {
                "speeds": Speeds(**content["speeds"]),
                "done": [Done(**{**done, "step": _step(done["step"])}) for done in content["done"]],
                "spent": float(content["spent"]),
                "failed": dict(content["failed"]),
                "corrections": {part: float(factor) for part, factor in content["corrections"].items()},
            }
            return cls(**{**content, **values})

        return read_record(folder / FILE, parse, version=FORMAT, otherwise=f"remove {folder} and begin again")

    @classmethod
    def of(cls, folder: Path, name: str, settings: dict[str, Any]) -> Record:
        """Return the record of a run: the one in its folder, or a new one.

        Raises:
            UserError: if it is damaged, or the run was begun with other flags or folds.
        """
        if not (folder / FILE).is_file():
            return cls(settings)
        record = cls.read(folder)
        changed = [key for key in settings if record.settings.get(key) != settings[key]]
        if not record.done:  # and what failed may be mended by other flags
            record.settings = settings
        elif changed:
            was, now = (
                ", ".join(_shown(key, values.get(key)) for key in changed) for values in (record.settings, settings)
            )
            again = "Give the same flags to go on with it, or another --name."
            raise UserError(f"'{name}' was begun with {was}; received {now}. {again}")
        return record


def _shown(key: str, value: Any) -> str:
    if key == "folds":
        return f"the fold table {str(value)[:8]}"
    flag = f"--{key.replace('_', '-')}"
    if value in (None, False, []):
        return f"no {flag}"
    return flag if value is True else f"{flag} {','.join(value) if isinstance(value, list) else value}"


def _bank(values: dict[str, Any]) -> Bank:
    augment, views = tuple(values["views"][0]), values["views"][1]
    known = {each[:2]: each for each in VIEWS}
    return Bank(**{**values, "views": known[augment, views]})


def _step(values: dict[str, Any]) -> Step:
    return Step(tuple(map(_bank, values["banks"])), values["head"])
