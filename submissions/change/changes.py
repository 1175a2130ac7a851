"""What has changed between two dates of one place: as a table, and as a file that other tools open."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from competition.common.errors import UserError
from competition.common.progress import reporter
from competition.common.text import counted, first
from competition.scenes.score_raster import ScoreRaster
from competition.terminal.tables import table
from submissions.change.align import Aligned
from submissions.change.compare import APPEARED, GONE, GROWN, KINDS, LESS, MORE, SAME, SHRUNK, Terms, compare
from submissions.change.noise import Found
from submissions.change.remarks import check_dates, remarks
from submissions.map.decide import chosen
from submissions.map.detections import write_features
from submissions.map.rules import MapRule, shown_cut
from submissions.regions.ground import Ground
from submissions.regions.regions import Measured

LAYER, NOISE = "changes", "by noise"


@dataclass(frozen=True, eq=False)
class Changes:
    """What has changed between two dates.

    Attributes:
        before: the earlier date, in whose cells everything is.
        after: the later one.
        rule: that decided both.
        labels: what has changed of each.
        notes: lines to read with it.
    """

    before: ScoreRaster
    after: ScoreRaster
    rule: MapRule
    labels: tuple[Found, ...]
    notes: tuple[str, ...]

    def __len__(self) -> int:
        return sum(found.change.num(*MORE, *LESS) for found in self.labels)

    def write(self, path: Path) -> None:
        """Write the regions by label and kind, as `Detections.write` does.

        Raises:
            UserError: as `write_features`.
        """
        parts = [(found.change.label, kind, found.change.kinds[kind]) for found in self.labels for kind in KINDS]
        many = [len(part) for *_, part in parts]
        every = Measured.joined([part for *_, part in parts])
        before, after = self.before.scored, self.after.scored
        columns = {
            "label": np.repeat(np.array([label for label, *_ in parts], dtype=object), many),
            "change": np.repeat(np.array([kind for _, kind, _ in parts], dtype=object), many),
            "area_km2": every.area_km2.round(6),
            "cells": every.cells,
            "mean": every.mean.round(4),
            "highest": every.highest.round(4),
            "date_before": np.full(sum(many), before.date, dtype=object),
            "date_after": np.full(sum(many), after.date, dtype=object),
            "scene": np.full(sum(many), after.scene, dtype=object),
        }
        write_features(path, every, columns, self.before, LAYER)

    def text(self) -> str:
        """Return areas and regions by label, each beside what noise alone makes."""
        head = f"From {_named(self.before)} to {_named(self.after)}: {counted(len(self), 'region')} of changed cells."
        return "\n".join([self.rule.text(), "", head, self._areas(), "", self._regions(), *self.notes])

    def _areas(self) -> str:
        columns = {"km2": [found.change.label for found in self.labels]}
        columns["before"] = [_km2(found.change.before_km2) for found in self.labels]
        columns["after"] = [_km2(found.change.after_km2) for found in self.labels]
        for name, kinds in (("appeared", MORE), ("gone", LESS)):
            columns[name] = [_km2(found.change.km2(*kinds)) for found in self.labels]
            columns[f"{name} by noise"] = [_km2(found.by_noise(*kinds).km2) for found in self.labels]
        columns["doubtful"] = [_km2(found.change.doubtful_km2) for found in self.labels]
        columns["net"] = [f"{found.net_km2:+,.3f}" for found in self.labels]
        return self._table(columns)

    def _regions(self) -> str:
        columns = {"regions": [found.change.label for found in self.labels]}
        columns["cut"] = [shown_cut(found.change.cut) for found in self.labels]
        for kind in (APPEARED, GROWN, GONE, SHRUNK):
            columns[kind] = [f"{found.change.num(kind):,}" for found in self.labels]
            columns[f"{kind} by noise"] = [_mean(found.by_noise(kind).num) for found in self.labels]
        columns[SAME] = [f"{found.change.num(SAME):,}" for found in self.labels]
        return self._table(columns)

    def _table(self, columns: dict[str, list[str]]) -> str:
        """Return a table, without columns of noise where nobody knows it."""
        measured = any(found.again for found in self.labels)
        kept = {name: cells for name, cells in columns.items() if measured or not name.endswith(NOISE)}
        headers = [NOISE if name.endswith(NOISE) else name for name in kept]
        return table(headers, zip(*kept.values(), strict=True))

    def as_dict(self) -> dict[str, Any]:
        """Return the figures by label, for JSON."""
        dates = (("before", self.before.scored), ("after", self.after.scored))
        of = {name: {"scene": one.scene, "date": one.date, "model": one.model} for name, one in dates}
        labels = [found.as_dict() for found in self.labels]
        return {**of, "regions": len(self), "labels": labels, **self.rule.as_dict(), "remarks": list(self.notes)}


def find_changes(
    before: ScoreRaster,
    after: ScoreRaster,
    rule: MapRule,
    *,
    again: ScoreRaster | None = None,
    labels: Sequence[str] | None = None,
    terms: Terms | None = None,
) -> Changes:
    """Return what has changed from one score raster to another.

    Args:
        before: the earlier one, in whose cells everything is.
        after: the later one.
        rule: whose cuts decide both.
        again: one of the same ground as `before` on which nothing has changed, to measure noise by.
        labels: that are wanted; None: all that both have.
        terms: of the comparison; None: the usual ones.

    Raises:
        UserError: if the rasters do not fit each other or are damaged, lack a label, or the rule has no cuts.
    """
    if not rule.cuts:
        raise UserError(f"Change needs cuts, and {rule.title} has none. Give another --rule.")
    others = [after] if again is None else [after, again]
    check_dates(before, after, again)
    terms, ground = terms or Terms(), Ground(before)
    asked = _shared(before, others, labels)
    aligned = [Aligned.of(before, other) for other in others]
    found = []
    with reporter.bar(len(asked) * len(aligned), "comparing", "label") as bar:
        for label in asked:
            made = []
            for each in aligned:
                made.append(compare(each, label, rule.cuts[label], terms, ground))
                bar.update()
            found.append(Found(*made))
    if not any(each.change.known for each in found):
        raise UserError(
            f"No cell's score is known both in {before.path} and in {after.path}: they are of different places, or "
            "each is hidden where the other is not."
        )
    return Changes(before, after, rule, tuple(found), tuple(remarks(aligned, rule, found, terms)))


def _shared(before: ScoreRaster, others: Sequence[ScoreRaster], labels: Sequence[str] | None) -> tuple[str, ...]:
    """Return the labels that are wanted, of those that all rasters have."""
    asked = chosen(before, labels)
    if labels is not None:
        for other in others:
            chosen(other, labels)
    if not (shared := tuple(label for label in asked if all(label in other.labels for other in others))):
        raise UserError(f"{first([before.path, *(other.path for other in others)])} have no label in common.")
    return shared


def _named(raster: ScoreRaster) -> str:
    scored = raster.scored
    return f"{scored.scene} ({scored.date})" if scored.date else scored.scene


def _km2(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:,.3f}"


def _mean(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:,.1f}"
