"""Where the network looked, at the chips that are shown: what its score does when places of a chip are hidden."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UserError
from competition.common.progress import reporter
from competition.common.text import counted
from submissions.decide.log_odds import log_odds
from submissions.evidence.chips import COPY, Look, Shown
from submissions.evidence.evidence import Evidence
from submissions.evidence.given import Hidden
from submissions.members.blend_files import weights_of

MOST_LOOKS = 2  # at a chip
MOST_SECONDS = 180.0
MAP_CELLS = 16  # of each side of a map
LEAST = 0.5  # of log odds, below which a place matters to nobody
TURNS = 2.0  # standard deviations of the log odds of a chip that is turned, up to which a place does not matter


@dataclass(frozen=True)
class Looked:
    """Which network was looked through.

    Attributes:
        model: its name; "" if there was none.
        subject: what the chips are shown for.
        is_only: whether it is the only one behind that.
    """

    model: str
    subject: str
    is_only: bool = True

    def line(self, chips: Sequence[Shown]) -> str:
        """Return what the overlays of the chips shown show, and of how many there are some."""
        if not self.model:
            return f"No overlays: behind {self.subject} is no network of this workspace that can be looked through."
        part = "" if self.is_only else ", which of several networks has the largest part in the scores"
        number, every = sum(bool(chip.looks) for chip in chips), counted(len(chips), "chip")
        of = every if number == len(chips) else f"{number:,} of {every}, the most telling"
        return f"Overlays show where {self.model} looked{part}: on {of}."


def look(evidence: Evidence, chips: Sequence[Shown]) -> Looked | None:
    """Give chips, from the first on, the looks of the network that has the largest part in the subject.

    Args:
        evidence: of the report.
        chips: that are shown, the most telling first; those that cannot be read, and those for which there is no time,
            get none.

    Returns:
        Which network that was; None where nobody asked for it.
    """
    if evidence.given.hide is None:
        return None
    subject, networks = evidence.subject.evaluation.name, models_behind(evidence)
    for model in networks:
        if _look_through(model, evidence, chips):
            return Looked(model, subject, is_only=len(networks) == 1)
    return Looked("", subject)


def models_behind(evidence: Evidence) -> list[str]:
    """Return the models behind the subject that score every label, those with the largest part in it first.

    Of equal parts, as in a plain mean, the one that is best by itself comes first.
    """
    subject, parts = evidence.subject, defaultdict[str, float](float)
    weights = getattr(subject.combined.fitted, "weights", None)
    shares = np.ones(len(subject.members)) if weights is None else np.asarray(weights)
    for member, share in zip(subject.members, shares.reshape(len(subject.members), -1).mean(axis=1), strict=True):
        _add(parts, member.provenance, float(share), evidence)
    names = [member.name for member in evidence.source.members]
    worth = {names[number]: _worth(evidence, names[number]) for number in evidence.source.whole}
    known = [name for name in parts if name in worth]
    return sorted(known, key=lambda name: (-parts[name], -worth[name]))


def _add(parts: defaultdict[str, float], made: Mapping[str, Any], share: float, evidence: Evidence) -> None:
    """Add the share of a member to that of each model that it is made of."""
    members = made.get("members", [])
    if made["kind"] == "model":
        parts[made["name"]] += share
    weights = weights_of(evidence.workspace.blends / made["name"]) if members else {}
    for member in members:
        _add(parts, member, share * weights.get(member["name"], 1 / len(members)), evidence)


def _worth(evidence: Evidence, name: str) -> float:
    return evidence.workspace.competition.metric.sign * evidence.at_prior_cut(evidence.of_member(name))


def _look_through(model: str, evidence: Evidence, chips: Sequence[Shown]) -> bool:
    """Give chips the looks of one model, as long as there is time; return whether one got some."""
    wanted, start = {chip.name: chip for chip in chips}, float("inf")
    assert evidence.given.hide is not None
    with reporter.bar(len(chips), f"looking through {model}") as bar:
        try:
            for hidden in evidence.given.hide(model, list(wanted)):
                start = min(start, time.monotonic())  # when the networks are loaded
                chip = wanted[hidden.name]
                chip.looks = looks_at(hidden, evidence, chip)
                bar.update()
                if time.monotonic() - start > MOST_SECONDS:
                    break
        except UserError as error:
            reporter.say(f"'{model}' cannot be looked through: {error}")
    return any(chip.looks for chip in chips)


def looks_at(hidden: Hidden, evidence: Evidence, chip: Shown) -> list[Look]:
    """Return the looks for what a chip is shown for, or, where that is no label, for what is most wrong about it."""
    labels = evidence.labels
    about = dict.fromkeys(label for kind, label in chip.why if kind != COPY and label in labels)
    wrong = np.abs(evidence.scores[chip.row] - evidence.truth[chip.row])
    chosen = islice(about or [labels[int(np.argmax(wrong))]], MOST_LOOKS)
    return [look_for(label, labels.index(label), hidden) for label in chosen]


def look_for(label: str, column: int, hidden: Hidden) -> Look:
    """Return where networks looked for a label.

    A place matters if hiding it changes the log odds by more than twice what turning the chip does, which changes
    nothing about its labels.

    Args:
        label: its name.
        column: its place among all labels.
        hidden: what they say with places hidden.
    """
    falls = log_odds(hidden.scores[column]) - log_odds(hidden.hidden[:, column])
    turned = log_odds(hidden.turned[:, column])
    calm = TURNS * turned.std(ddof=1) if len(turned) > 1 else 0.0
    strongest = int(np.argmax(np.abs(falls)))
    top, left, bottom, right = hidden.places[strongest].tolist()
    return Look(
        label=label,
        falls=map_of(hidden.places, falls),
        place=(top, left, bottom, right),
        score=float(hidden.scores[column]),
        without=float(hidden.hidden[strongest, column]),
        matters=bool(abs(falls[strongest]) > max(LEAST, calm)),
    )


def map_of(places: NDArray[np.float64], falls: NDArray[Any]) -> NDArray[np.float64]:
    """Return the mean of the falls (num_places,) over the places that each cell lies within (MAP_CELLS, MAP_CELLS)."""
    centres = (np.arange(MAP_CELLS) + 0.5) / MAP_CELLS
    top, left, bottom, right = places.T[:, :, None]
    rows, columns = (top < centres) & (centres < bottom), (left < centres) & (centres < right)
    within = rows[:, :, None] & columns[:, None, :]
    total: NDArray[np.float64] = np.einsum("p,prc->rc", falls.astype(np.float64), within.astype(np.float64))
    return total / np.maximum(within.sum(axis=0), 1)
