"""The page: all parts of a report in one file that opens from the disk and asks for nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from competition.common.errors import spelled
from competition.common.files import write_text
from competition.common.text import day, now, readable
from competition.workspace import Workspace
from submissions.report import gallery, labels, members, overview, paper, training
from submissions.report.evidence import Evidence, gather
from submissions.report.given import Given
from submissions.report.pictures import Picture

FILE = "report.html"
PACKAGE = "submissions.report"


@dataclass(frozen=True)
class Report:
    """A report that was written.

    Attributes:
        path: of the file.
        subject: what it looks at closely.
        num_chips: chips in its gallery.
        size: of the file, in bytes.
    """

    path: Path
    subject: str
    num_chips: int
    size: int

    def text(self) -> str:
        """Return what was written, for people."""
        return f"Wrote {self.path}: {self.subject}, {self.num_chips:,} chips shown, {readable(self.size)}."


def write_report(name: str | None, workspace: Workspace, given: Given, output: Path | None = None) -> Report:
    """Write a report of a workspace.

    Args:
        name: a model or blend to look at closely; None: what `compare` would choose.
        workspace: of the competition.
        given: what is known of the models.
        output: the file; None: report.html in the workspace.

    Raises:
        UserError: if no model has all its folds, or there is no such model or blend.
    """
    path = workspace.root / FILE if output is None else output
    evidence = gather(name, workspace, given)
    content = _content(evidence)
    text = _template().render(content)
    write_text(path, text)
    return Report(path, evidence.subject.evaluation.name, len(content["chips"]), len(text.encode()))


@cache
def _template() -> Any:
    environment = Environment(
        loader=PackageLoader(PACKAGE, ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html")


def _asset(name: str) -> Markup:
    return Markup(files(PACKAGE).joinpath(name).read_text(encoding="utf-8"))


def _content(evidence: Evidence) -> Mapping[str, Any]:
    """Return all that the template shows."""
    found = labels.labels_of(evidence)
    carried = [label for label in found if label.support]
    chips = gallery.worst_chips(evidence, labels.drawn_labels(found))
    chips = gallery.draw(evidence, chips)
    worths = members.worths(evidence)
    several = len(evidence.source.whole) > 1
    competition = evidence.workspace.competition
    return {
        "style": _asset("page.css"),
        "script": _asset("page.js"),
        "title": f"{competition.title}: what the models are worth",
        "made": day(now()),
        "metric": competition.metric,
        "decides": evidence.decides,
        "evidence": evidence,
        "given": evidence.given,
        "ranked": overview.ranked(evidence),
        "chosen": evidence.comparison.chosen,
        "single": overview.best_single(evidence),
        "choosing": overview.choosing_line(evidence),
        "leaderboard": overview.leaderboard_line(evidence),
        "next": _next(evidence),
        "data_rows": overview.data_rows(evidence),
        "submission_rows": overview.submission_rows(evidence),
        "comparison": overview.comparison_picture(evidence),
        "boards": overview.leaderboard_picture(evidence),
        "networks": paper.networks_rows(evidence),
        "by_cuts": paper.by_cuts_picture(evidence, found),
        "contours": paper.contours_picture(evidence, found),
        "labels": found,
        "worst": [label for label in carried if label.support >= labels.FEW][:3],
        "curves": [(label, labels.curves(evidence, label)) for label in labels.drawn_labels(found)],
        "support": labels.support_rows(evidence, found),
        "mixed_up": labels.mixed_up(evidence, found),
        "members_by_label": labels.members_by_label(evidence, found),
        "training": training.training_pictures(evidence),
        "spread": training.spread_picture(evidence),
        "worths": worths,
        "worth_picture": members.worth_picture(evidence, worths) if worths else None,
        "alike": members.alike_picture(evidence) if several else None,
        "weights": members.weights_rows(evidence),
        "optimism": members.optimism_picture(evidence),
        "chips": [(chip, gallery.scores_of(evidence, chip)) for chip in chips],
        "kinds": _kinds(chips),
        "kinds_said": gallery.KINDS,
    }


def _kinds(chips: Sequence[gallery.Shown]) -> list[str]:
    """Return the kinds of chips that are there, in the order in which they are explained."""
    there = {kind for chip in chips for kind, _ in chip.why}
    return [kind for kind in gallery.KINDS if kind in there]


def _next(evidence: Evidence) -> str:
    """Return the command that is likely to bring most."""
    names = ",".join(member.name for member in evidence.source.members)
    if evidence.comparison.chosen.method == "mean" and len(evidence.comparison.chosen.members) == 1:
        return spelled("auto --minutes 60")
    return spelled(f"blend --auto --members {names} --name best")


__all__ = ["Picture", "Report", "write_report"]
