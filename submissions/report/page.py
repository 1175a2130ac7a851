"""The page: all parts of a report in one file that opens from the disk and asks for nothing else."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from competition.common.errors import UserError, spelled
from competition.common.files import write_text
from competition.common.text import counted, day, now, readable
from competition.workspace import Workspace
from submissions.evidence import chips as worst
from submissions.evidence import labels, looks, members, quality
from submissions.evidence.evidence import Evidence, gather
from submissions.evidence.given import Given
from submissions.evidence.suspects import FEWEST, MOST_LISTED, Suspects, suspects_of, write_suspects
from submissions.report import label_pictures, member_pictures, overview, paper, thumbnails, training
from submissions.report.pages import asset, rendered

FILE = "report.html"


@dataclass(frozen=True)
class Report:
    """A report that was written.

    Attributes:
        path: of the file.
        subject: what it looks at closely.
        num_chips: chips in its gallery.
        size: of the file, in bytes.
        lines: what else was written.
    """

    path: Path
    subject: str
    num_chips: int
    size: int
    lines: tuple[str, ...] = ()

    def text(self) -> str:
        """Return what was written, for people."""
        shown = f"{readable(self.size)}, {counted(self.num_chips, 'chip')} shown; it looks closely at {self.subject}"
        made = f"Wrote {self.path}, for any browser: {shown}."
        return "\n".join([made, *self.lines])


def write_report(
    name: str | None, workspace: Workspace, given: Given, output: Path | None = None, suspects: Path | None = None
) -> Report:
    """Write a report of a workspace.

    Args:
        name: a model or blend to look at closely; None: the simplest within an error of the best.
        workspace: of the competition.
        given: what is known of the models.
        output: the file; None: report.html in the workspace.
        suspects: CSV file to write, of the labels that look wrong; None: none.

    Raises:
        UserError: if a file cannot be written, no model has all its folds, there is no such model or blend, or both
            files are one.
    """
    path = workspace.root / FILE if output is None else output
    for file in filter(None, (path, suspects)):
        workspace.check_output(file)
    if suspects is not None and suspects.resolve() == path.resolve():
        raise UserError(f"--suspects is the file of the report, {path}. Give another one.")
    with threadpool_limits(1):  # threads of BLAS would wait for each other on small products
        evidence = gather(name, workspace, given)
        wrong, found = suspects_of(evidence), labels.labels_of(evidence)
        suspected = {one.label: one.rows.tolist() for one in wrong}
        telling = worst.worst_chips(evidence, label_pictures.drawn_labels(found), suspected)
    looked = looks.look(evidence, telling)  # by networks, which take all threads
    with threadpool_limits(1):
        content = {**_content(evidence, wrong, found), **_of_chips(evidence, telling, looked)}
    text = rendered("page.html", content)
    write_text(path, text)
    lines = [content["looked_line"]] if content["looked"] else []
    if suspects is not None:
        number = write_suspects(suspects, wrong, evidence)
        lines.append(
            f"Wrote {suspects}: {counted(number, 'label')} that may be wrong. Take out the rows that are right."
        )
        lines.append(f"What turns the rest: {spelled(f'data relabel --from {shlex.quote(str(suspects))}')}")
    return Report(path, evidence.subject.evaluation.name, len(content["chips"]), len(text.encode()), tuple(lines))


def _content(evidence: Evidence, wrong: list[Suspects], found: list[labels.Label]) -> Mapping[str, Any]:
    """Return all that the template shows beside chips."""
    competition, worths = evidence.workspace.competition, members.worths(evidence)
    return {
        "script": asset("page.js"),
        "title": f"{competition.title}: what the models are worth",
        "made": day(now()),
        "metric": competition.metric,
        "decides": evidence.decides,
        "evidence": evidence,
        "given": evidence.given,
        "labels": found,
        "worst": [label for label in found if label.support >= labels.FEW][:3],
        "worths": worths,
        "most_listed": MOST_LISTED,
        "unjudged": sum(min(label.support, len(evidence.truth) - label.support) < FEWEST for label in found),
        "fewest": FEWEST,
        "wrong": sorted((one for one in wrong if len(one.rows)), key=lambda one: one.false_share),
        **_of_comparison(evidence),
        **_of_quality(evidence, found),
        **_of_labels(evidence, found, label_pictures.drawn_labels(found)),
        **_of_members(evidence, worths),
    }


def _of_chips(evidence: Evidence, telling: list[worst.Shown], looked: looks.Looked | None) -> Mapping[str, Any]:
    """Return the chips with their pictures, and where the network looked."""
    chips = thumbnails.draw(evidence, telling)
    return {
        "chips": [(chip, worst.scores_of(evidence, chip)) for chip in chips],
        "looked": looked,
        "looked_line": looked.line(chips) if looked else "",
        "full": round(math.exp(thumbnails.FULL)),
        "beside_chips": _beside_chips(len(telling), len(chips)),
        "kinds": {kind: said for kind, said in worst.KINDS.items() if _is_among(kind, chips)},
    }


def _beside_chips(telling: int, shown: int) -> str:
    """Return what the gallery leaves out, as sentences."""
    lines = [f"There is room for {worst.MOST_CHIPS}: the rest are left out."] if telling >= worst.MOST_CHIPS else []
    lines += [f"{counted(telling - shown, 'chip')} of them cannot be read or not found."] if shown < telling else []
    return " ".join(lines)


def _is_among(kind: str, chips: Sequence[worst.Shown]) -> bool:
    return any(kind == why for chip in chips for why, _ in chip.why)


def _of_comparison(evidence: Evidence) -> Mapping[str, Any]:
    """Return what is best, how sure that is, and what the leaderboard says."""
    single, following = overview.best_single(evidence), overview.runner_up(evidence)
    return {
        "compared": overview.compared_line(evidence),
        "ranked": overview.ranked(evidence),
        "chosen": evidence.comparison.chosen,
        "single": single,
        "rival": None if single is None else overview.rival_of(evidence, single).evaluation,
        "choosing": overview.choosing_line(evidence),
        "comparison": overview.comparison_picture(evidence),
        "optimism": member_pictures.optimism_picture(evidence),
        "runner_up": following,
        "behind": None if single is None or following is None else following.evaluation.over(single.evaluation),
        "leaderboard": overview.leaderboard_line(evidence),
        "correlation": overview.correlation_line(evidence),
        "boards": overview.leaderboard_picture(evidence),
        "data_rows": overview.data_rows(evidence),
        "submission_rows": overview.submission_rows(evidence),
        "next": overview.what_next(evidence),
    }


def _of_quality(evidence: Evidence, found: list[labels.Label]) -> Mapping[str, Any]:
    """Return what the metric judges of labels, and which columns of their table that leaves empty."""
    competition = evidence.workspace.competition
    return {
        "few": labels.FEW if len(found) > labels.MANY else 0,
        "quality": quality.title_of(competition),
        "quality_said": quality.sentence_of(competition),
        "decided_by": "decided" if evidence.decides else quality.decided_by(competition),
        "has_own": quality.kind_of(competition) not in quality.SHOWN_ANYHOW,
        "has_cuts": not all(np.isnan(label.cut) for label in found),
        "has_notes": any(label.fault for label in found),
        "faults": labels.FAULTS,
        "has_faults": any(label.fault in labels.FAULTS for label in found),
    }


def _of_labels(evidence: Evidence, found: list[labels.Label], drawn: list[labels.Label]) -> Mapping[str, Any]:
    """Return the labels in pictures."""
    return {
        "by_cuts": paper.by_cuts_picture(evidence, found),
        "contours": paper.contours_picture(evidence, found),
        "curves": [(label, label_pictures.curves(evidence, label)) for label in drawn],
        "support": label_pictures.support_rows(evidence, found),
        "losses": label_pictures.loss_picture(evidence, found),
        "mixed_up": label_pictures.mixed_up(evidence, found),
        "members_by_label": member_pictures.members_by_label(evidence, found),
    }


def _of_members(evidence: Evidence, worths: list[members.Worth]) -> Mapping[str, Any]:
    """Return the members in pictures."""
    return {
        "networks": paper.networks_rows(evidence),
        "training": training.training_pictures(evidence),
        "untrained": training.left_out(evidence),
        "spread": training.spread_picture(evidence),
        "worth_picture": member_pictures.worth_picture(evidence, worths) if worths else None,
        "alike": member_pictures.alike_picture(evidence),
        "weights": member_pictures.weights_rows(evidence),
    }
