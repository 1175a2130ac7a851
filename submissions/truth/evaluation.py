"""What maps are worth: figures by label and by scene, as tables and for JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, reduce
from operator import add
from typing import Any

import numpy as np

from competition.terminal.tables import table
from submissions.map.detections import Detections
from submissions.map.rules import MapRule, shown_cut
from submissions.truth.counts import Counted, Regions, Terms
from submissions.truth.figures import FIGURES, FOUND, MISSED, Counts, average_precision

Rows = tuple[tuple[str, ...], list[tuple[str, ...]]]  # headers and cells of a table


@dataclass(frozen=True, eq=False)
class Place:
    """A scene that was held against the truth.

    Attributes:
        name: that tells it from the others.
        decided: regions of its scores.
        counted: of each label that its truth tells of, in all and in each region.
    """

    name: str
    decided: Detections
    counted: tuple[Counted, ...]

    def of_region(self, region: str = "") -> list[Counted]:
        """Return what was counted in a region; "": in all that is counted."""
        return [one for one in self.counted if one.region == region]


@dataclass(frozen=True, eq=False)
class OfLabel:
    """A label in all scenes whose truth tells of it.

    Attributes:
        label: its name.
        parts: what was counted in each of these.
    """

    label: str
    parts: tuple[Counted, ...]

    @cached_property
    def cells(self) -> Counts:
        """Cells by block of ground and kind, int64 (num_blocks, 4)."""
        return np.concatenate([part.cells for part in self.parts])

    @cached_property
    def figures(self) -> dict[str, float]:
        """Each figure, NaN where there is nothing that it is of."""
        return {name: figure.value(self.cells) for name, figure in FIGURES.items()}

    @cached_property
    def intervals(self) -> dict[str, tuple[float, float]]:
        """The 95 % interval of each."""
        return {name: figure.interval(self.cells) for name, figure in FIGURES.items()}

    @cached_property
    def average_precision(self) -> float:
        """Of the scores."""
        return average_precision(self.scores)

    @cached_property
    def scores(self) -> Counts:
        """Cells by truth and score, from 0 to 1, int64 (2, num_codes - 1): those that do not carry it, and do."""
        return reduce(add, (part.scores[:, :-1] for part in self.parts))

    @property
    def num_true(self) -> int:
        """Cells that carry it."""
        return int(self.cells[:, [MISSED, FOUND]].sum())

    @property
    def blocks(self) -> int:
        """Blocks of ground with such cells."""
        return int(self.cells[:, [MISSED, FOUND]].any(axis=1).sum())

    @property
    def regions(self) -> Regions:
        """Regions of cells."""
        return reduce(add, (part.regions for part in self.parts))

    def as_dict(self) -> dict[str, Any]:
        """Return the figures, for JSON; null where nobody knows."""
        found = {"label": self.label, "cells": self.num_true, "blocks": self.blocks}
        spans = self.intervals
        values = {name: {"value": value, "interval": list(spans[name])} for name, value in self.figures.items()}
        return {**found, **values, "average_precision": self.average_precision, "regions": asdict(self.regions)}


@dataclass(frozen=True, eq=False)
class MapEvaluation:
    """What a map is worth.

    Attributes:
        terms: of the comparison.
        places: scenes that it was decided in, each by the rule of its own scores.
        notes: lines to read with it.
    """

    terms: Terms
    places: tuple[Place, ...]
    notes: tuple[str, ...]

    @cached_property
    def labels(self) -> tuple[OfLabel, ...]:
        """The labels, as the first scenes have them."""
        return self.of_region()

    @cached_property
    def regions(self) -> tuple[str, ...]:
        """The names of regions of which figures are wanted; () where there are none."""
        return tuple(dict.fromkeys(one.region for place in self.places for one in place.counted if one.region))

    def of_region(self, region: str = "") -> tuple[OfLabel, ...]:
        """Return the labels in a region; "": in all that is counted."""
        every = [one for place in self.places for one in place.of_region(region)]
        names = dict.fromkeys(one.label for one in every)
        return tuple(OfLabel(name, tuple(one for one in every if one.label == name)) for name in names)

    @property
    def rules(self) -> tuple[MapRule, ...]:
        """The rules that decided, each of which says something else."""
        return tuple({place.decided.rule.text(): place.decided.rule for place in self.places}.values())

    def cuts(self, label: str) -> list[float]:
        """Return the cuts of a label, from the lowest; none where cuts do not decide."""
        places = (place for place in self.places if any(one.label == label for one in place.counted))
        return sorted({place.decided.rule.cuts[label] for place in places if label in place.decided.rule.cuts})

    def text(self) -> str:
        """Return the tables of labels, of regions of cells, of named regions, and of scenes where there are several."""
        labels = table(*self.by_label(), spare=("cut", "AP", "F0.5", "precision"))
        parts = [*(rule.text() for rule in self.rules), "", labels, "", table(*self.by_cells())]
        if self.regions:
            parts += ["", table(*self.by_region(), spare=("F0.5", "precision"))]
        if len(self.places) > 1:
            parts += ["", table(*self.by_place())]
        return "\n".join([*parts, *self.notes])

    def by_label(self) -> Rows:
        """Return the figures of cells, as headers and rows."""
        of_cells = ("sensitivity", "95 %", "specificity", "95 %", "precision", "F2", "F0.5", "AP")
        headers = ("label", "cut", "cells", *of_cells)
        rows: list[tuple[str, ...]] = []
        for one in self.labels:
            value, interval = one.figures, one.intervals
            rows.append(
                (
                    one.label, _range(self.cuts(one.label)), f"{one.num_true:,}",
                    shown(value["sensitivity"]), spanned(interval["sensitivity"]),
                    shown(value["specificity"]), spanned(interval["specificity"]),
                    shown(value["precision"]), shown(value["F2"]), shown(value["F0.5"]), shown(one.average_precision),
                )
            )  # fmt: skip
        return headers, rows

    def by_region(self) -> Rows:
        """Return the figures of cells label by label in each named region, as headers and rows."""
        of_cells = ("sensitivity", "95 %", "specificity", "95 %", "precision", "F2", "F0.5")
        rows: list[tuple[str, ...]] = []
        for label in self.labels:
            for region in self.regions:
                for one in (each for each in self.of_region(region) if each.label == label.label):
                    value, interval = one.figures, one.intervals
                    rows.append(
                        (
                            one.label, region, f"{one.num_true:,}",
                            shown(value["sensitivity"]), spanned(interval["sensitivity"]),
                            shown(value["specificity"]), spanned(interval["specificity"]),
                            shown(value["precision"]), shown(value["F2"]), shown(value["F0.5"]),
                        )
                    )  # fmt: skip
        return ("label", "region", "cells", *of_cells), rows

    def by_cells(self) -> Rows:
        """Return the figures of regions of neighbouring cells, as headers and rows."""
        rows: list[tuple[str, ...]] = []
        for one in self.labels:
            regions = one.regions
            shares = regions.found / max(regions.true, 1), regions.right / max(regions.decided, 1)
            rows.append(
                (
                    one.label, f"{regions.true:,}", f"{regions.found:,}", shown(shares[0] if regions.true else np.nan),
                    f"{regions.decided:,}", f"{regions.right:,}", shown(shares[1] if regions.decided else np.nan),
                )
            )  # fmt: skip
        return ("regions of", "true", "found", "share", "decided", "right", "share"), rows

    def by_place(self) -> Rows:
        """Return the means of each scene's labels, as headers and rows."""
        headers = ("scene", "labels", "cells", *(f"mean {name}" for name in ("sensitivity", "specificity")))
        rows: list[tuple[str, ...]] = []
        for place in self.places:
            each = [OfLabel(one.label, (one,)) for one in place.of_region()]
            means = (_mean([one.figures[name] for one in each]) for name in ("sensitivity", "specificity"))
            rows.append((place.name, str(len(each)), f"{each[0].cells.sum():,}", *map(shown, means)))
        return headers, rows

    def as_dict(self) -> dict[str, Any]:
        """Return the figures by label, by region and by scene, for JSON."""
        by_place = [
            {
                "scene": place.name,
                "date": place.decided.raster.scored.date,
                **place.decided.rule.as_dict(),
                "left_out": list(place.decided.left_out),
                "labels": [OfLabel(one.label, (one,)).as_dict() for one in place.of_region()],
            }
            for place in self.places
        ]
        terms = {"least_cover": self.terms.least, "block_km": self.terms.block_km, "buffer_metres": self.terms.buffer}
        labels = [one.as_dict() for one in self.labels]
        regions = [{"region": name, "labels": [one.as_dict() for one in self.of_region(name)]} for name in self.regions]
        return {**terms, "labels": labels, "regions": regions, "scenes": by_place, "remarks": list(self.notes)}


def shown(value: float) -> str:
    """Return a figure for a table, a dash where there is none."""
    return "–" if np.isnan(value) else f"{value:.3f}"


def _range(cuts: Sequence[float]) -> str:
    """Return the lowest and the highest cut for a table."""
    return "–".join(dict.fromkeys(shown_cut(cut) for cut in (cuts[0], cuts[-1]))) if cuts else shown_cut(None)


def spanned(interval: tuple[float, float]) -> str:
    """Return an interval for a table, a dash where there is none."""
    return "–" if np.isnan(interval[0]) else f"{interval[0]:.3f}–{interval[1]:.3f}"


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")
