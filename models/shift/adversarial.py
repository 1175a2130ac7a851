"""Adversarial validation: labelled chips against those to predict, by the features of a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UserError
from competition.common.interrupts import heeded
from competition.common.progress import reporter
from competition.terminal.tables import table
from competition.workspace import Workspace
from folds.assign import default_folds
from folds.store.chip_weights import ChipWeights, MadeOf, checksums_of, digest_of_test, effective, write_weights
from folds.store.score_store import ScoreStore
from models.backend.load import load_backend
from models.inputs.fill_banks import check_on_bank
from models.recipes.recipe import Recipe
from models.runs.model_recipe import ModelRequest, recipe_of
from models.shift.area import NOTHING, SURE, Area, area
from models.shift.both import Both
from models.shift.by_label import LabelShift, by_label
from models.shift.origins import Group, Origin, attributes_of, groups, groups_in, origins, shown_groups

if TYPE_CHECKING:
    from models.shift.halves import Halves

SHOWN = 10  # rows of a table
LITTLE = 0.6  # an area up to which chips differ a little: of ten pairs, six are told rightly

NO_WEIGHTS = {"effective": None, "largest_weight": None, "path": None}


@dataclass(frozen=True)
class Weights:
    """What labelled chips weigh, as it was kept.

    Attributes:
        labelled: number of labelled chips.
        effective: how many of the same weight would give as certain a mean as the weighed ones do.
        largest: the largest weight, in those of the mean chip.
        path: of the weights.
    """

    labelled: int
    effective: float
    largest: float
    path: Path

    def text(self) -> str:
        """Return it for a terminal."""
        return (
            f"Weighed by how much they look like those to predict, the labelled chips are worth {self.effective:,.0f} "
            f"({self.effective / self.labelled:.0%} of them; the largest weight is {self.largest:.1f}). Wrote "
            f"{self.path}."
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the same, for JSON."""
        return {"effective": self.effective, "largest_weight": self.largest, "path": str(self.path)}


@dataclass(frozen=True)
class Shift:
    """How chips to predict differ from labelled ones, as the features of a model show them.

    Attributes:
        model: its name.
        features: how many there are.
        labelled: number of labelled chips.
        to_predict: number of chips to predict.
        area: how well the features tell them; without an error where labelled chips come in groups.
        weights: what labelled chips weigh; None where they come in groups: then weights would take what chips of a
            group have in common for a shift.
        halves: where labelled chips come in groups, what these alone tell.
        labels: how the chips of each label differ, those that differ most first.
        groups: of chips that differ by more or less than all do.
        origins: what ids and files say that tells the chips.
        notes: what could not be said.
    """

    model: str
    features: int
    labelled: int
    to_predict: int
    area: Area
    weights: Weights | None
    halves: Halves | None = None
    labels: Sequence[LabelShift] = ()
    groups: Sequence[Group] = ()
    origins: Sequence[Origin] = ()
    notes: list[str] = field(default_factory=list)

    @property
    def is_found(self) -> bool:
        """Whether chips to predict differ by more than chance does, or than groups do."""
        if self.halves:
            return self.area.value > self.halves.bound
        return self.area.differs and self.area.value > 0.5

    @property
    def verdict(self) -> str:
        """What the area means, as a line."""
        if self.halves:
            return self._beyond_groups(self.halves)
        if not self.is_found:
            most = 0.5 + SURE * self.area.error
            return (
                "Nothing tells them apart: by these features the labelled chips stand for those to predict. (A shift "
                f"of an area below {most:.3f} would not have been seen.)"
            )
        how = "a little" if self.area.value < LITTLE else "much"
        return (
            f"They differ {how}: of a chip of each kind, {self.area.value:.1%} of the pairs are told rightly, where "
            "chance has 50 %. What is measured on labelled chips is not what those to predict will give; "
            "`compare --weighted-to test` measures with the weights, and `train --weighted-to test` learns by them."
        )

    def _beyond_groups(self, halves: Halves) -> str:
        line = (
            f"Labelled chips come in {halves.groups:,} groups; which chips to predict belong together is not known, "
            "and neighbours alone tell chips apart. Labelled chips of half the groups are told from the others with "
            f"an area of {halves.mean:.4f} ± {halves.spread:.4f}: one beyond {halves.bound:.4f} is a shift, if chips "
            "to predict come in groups like these."
        )
        if np.isnan(halves.bound):
            return "No verdict: labelled chips come in groups, and half of these are too few chips to compare with."
        return f"{line} " + ("This one is: they differ." if self.is_found else "This one is not: no shift is seen.")

    def text(self) -> str:
        """Return what was found, for a terminal."""
        lines = [
            f"Labelled chips ({self.labelled:,}) against those to predict ({self.to_predict:,}) by the "
            f"{self.features:,} features of '{self.model}': area under the ROC curve {self.area.text()}.",
            self.verdict,
            self.weights.text()
            if self.weights
            else "No weights and no errors: both would take what chips of a group have in common for a shift.",
        ]
        parts = ["\n".join(lines), *self._of_labels(), *self._of_groups(), *self._of_origins(), *self.notes]
        return "\n\n".join(parts)

    def as_dict(self) -> dict[str, Any]:
        """Return the same, for JSON."""
        shallow = {name: getattr(self, name) for name in ("model", "features", "labelled", "to_predict")}
        return {
            **shallow,
            "area": self.area._asdict(),
            "shift_found": self.is_found,
            "verdict": self.verdict,
            "held_together": self.halves.as_dict() if self.halves else None,
            **(self.weights.as_dict() if self.weights else NO_WEIGHTS),
            "labels": {
                one.label: {
                    **one._asdict(),
                    "features": one.features._asdict(),
                    "scores": one.scores._asdict(),
                }
                for one in self.labels
            },
            "groups": [{**asdict(one), "area": one.area._asdict()} for one in self.groups],
            "origins": [{**asdict(one), "area": one.area._asdict()} for one in self.origins],
            "notes": self.notes,
        }

    def _of_labels(self) -> list[str]:
        if not self.labels:
            return []
        rows = [
            [one.label, f"{one.labelled:.4f}", f"{one.to_predict:.4f}", one.scores.text(), one.features.text()]
            for one in self.labels[:SHOWN]
        ]
        marked = [row for row, one in enumerate(self.labels[:SHOWN]) if one.features.differs or one.scores.differs]
        headers = ["label", "labelled", "to predict", "AUC of its scores", "AUC of features, with it"]
        more = f" The {SHOWN} of {len(self.labels)} that differ most." if len(self.labels) > SHOWN else ""
        return [
            f"{table(headers, rows, marked=marked)}\n"
            "`labelled`, `to predict`: mean score. `AUC of its scores`: above .5, chips to predict score higher. `AUC "
            "of features, with it`: among chips that carry it, as likely as their scores say: .5 where these only "
            f"became more or fewer.{more}"
        ]

    def _of_groups(self) -> list[str]:
        if not self.groups:
            return []
        title = "Groups of chips that the features tell from the other side better, or less well, than all:"
        rows = shown_groups(self.groups, SHOWN)
        return [f"{title}\n{table(['group', 'side', 'chips', 'AUC'], rows, 'llrr')}"]

    def _of_origins(self) -> list[str]:
        lines = []
        for one in self.origins:
            what = f"{one.value!r}: {one.labelled:.1%} of the labelled chips, {one.to_predict:.1%} of those to predict"
            if one.is_apart:
                lines.append(f"{one.name}: no value is on both sides ({what}): it is how chips are told by name.")
            else:
                lines.append(f"{one.name}: tells them by itself, AUC {one.area.text()} ({what}).")
        return ["\n".join(["By ids and files:", *lines])] if lines else []


def find_shift(workspace: Workspace, model: str, *, skip_broken: bool = False, seed: int = 0) -> Shift:
    """Find how chips to predict differ from labelled ones, and write what the latter weigh to look like the former.

    Args:
        workspace: the chips, folds and scores; and where the weights go.
        model: a recipe or model that learns from features, which have been made of all chips.
        skip_broken: leave broken chips out, as the model did.
        seed: deals chips to predict to folds.

    Raises:
        UserError: if it learns from no features, or these are not made yet; or there are too few chips to predict.
    """
    recipe = recipe_of(workspace, ModelRequest(model, verb="adversarial"))
    check_on_bank(workspace, recipe, model)
    if assigned := default_folds(workspace):
        reporter.say(assigned.text())
    load_backend()
    with heeded():
        return _find(workspace, model, recipe, skip_broken=skip_broken, seed=seed)


def _find(workspace: Workspace, model: str, recipe: Recipe, *, skip_broken: bool, seed: int) -> Shift:
    from models.inputs.sources import Sources
    from models.shift.apart import reduced, told_apart
    from models.shift.both import both_splits
    from models.shift.halves import Halves

    store, sources = ScoreStore.of(workspace), Sources(workspace, recipe, skip_broken)
    both = both_splits(sources, store.table, model, seed)
    components = reduced(both)
    log_odds = told_apart(components, both.is_test, both.folds)
    overall = area(log_odds, both.is_test, both.folds, learnt=True)
    halves = None if both.groups is None else Halves.of(components, both, seed)
    labels, notes = list[LabelShift](), list[str]()
    try:
        labels = by_label(both, log_odds, store, model)
    except UserError as error:
        notes.append(f"Nothing is said label by label: {error}")
    with reporter.busy("looking at ids and files"):
        attributes = attributes_of(both, workspace, sources.images)
        places = {name: attributes[name] for name in ("id prefix", "folder")} | groups_in(both, workspace)
        apart = groups(both, log_odds, places, overall)
        told_by = origins(both, attributes)
    made_of = MadeOf(
        model, recipe.digest(), store.table.digest, digest_of_test(workspace), checksums_of(both.arrays, workspace)
    )
    found = Shift(
        model=model,
        features=both.bank.num_features,
        labelled=len(both.labelled),
        to_predict=both.num_test,
        area=overall,
        weights=None if halves else _weighed(both, log_odds, made_of, workspace, overall),
        labels=labels,
        groups=apart,
        origins=told_by,
        notes=notes,
    )
    return found if halves is None else _in_groups(found, halves)


def _weighed(
    both: Both, log_odds: NDArray[np.float64], made_of: MadeOf, workspace: Workspace, overall: Area
) -> Weights:
    """Weigh the labelled chips, and keep the weights."""
    from models.shift.ratios import ratios

    values = ratios(log_odds, both.is_test, both.folds)
    path = write_weights(ChipWeights(both.labelled, values, made_of), workspace, **overall._asdict())
    return Weights(len(values), effective(values), float(values.max()), path)


def _in_groups(found: Shift, halves: Halves) -> Shift:
    """Return what may be said where labelled chips come in groups: nothing that takes each chip for itself."""
    labels = [one._replace(features=NOTHING, scores=one.scores.without_error) for one in found.labels]
    told_by = [one for one in found.origins if one.is_apart]
    return replace(found, halves=halves, area=found.area.without_error, labels=labels, groups=(), origins=told_by)
