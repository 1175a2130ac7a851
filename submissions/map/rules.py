"""What decides the cells of a score raster: cuts that are kept or learnt, or the highest expected F-beta.

What is learnt is learnt from a model's out-of-fold scores of chips, and its figures are cross-fitted. They are those of
chips: cells are means of windows, and where a label is rarer than among the chips, precision is lower.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UserError
from competition.common.text import first
from competition.scenes.score_raster import BLOCK, Scored, ScoreRaster
from competition.spec.load import load_if_shipped
from competition.spec.metric import DECISIONS, Metric
from competition.terminal.tables import table
from folds.store.score_store import ScoreStore
from submissions.choose.cuts import FILE, read_cuts
from submissions.decide.cut_rules import CutRule, PrecisionRule, ShrunkRule
from submissions.decide.decisions import at_or_above
from submissions.decide.expected_f_beta import ExpectedFBeta, Structure, most_expected
from submissions.measure.cross_fit import CrossFit
from submissions.measure.evaluation import Evaluation
from submissions.members.blend_files import check_files
from submissions.members.members import SharedChips, load_member, share

if TYPE_CHECKING:
    from competition.workspace import Workspace

CUTS, EXPECTED = "cuts", "expected"
KNOWN = "cuts, cut=C, expected, precision=P, f0.5 or f2"
FEW = 20  # chips with a label, below which its cut is no more than a hint
BETA = 2.0  # of the rule `expected`, where the competition is judged by no F-beta
Decide = Callable[[NDArray[np.float32]], NDArray[np.bool_]]


@dataclass(frozen=True, eq=False)
class MapRule:
    """What decides cells.

    Attributes:
        title: what is shown of it.
        cuts: score by label from which it is decided, inf where it never is; nothing where cuts do not decide.
        notes: lines that say where it comes from.
        worth: cross-fitted on chips, of the labels in `labels`; None where nothing was learnt.
        labels: of `worth`.
        expected: decides scores (num_cells, num_labels) of all labels of the raster, where cuts do not.
    """

    title: str
    cuts: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    worth: Evaluation | None = None
    labels: tuple[str, ...] = ()
    expected: Decide | None = None

    def planes(
        self, raster: ScoreRaster, labels: tuple[str, ...], rows: int = BLOCK
    ) -> Iterator[tuple[int, str, NDArray[np.bool_], NDArray[Any]]]:
        """Yield what is decided of a raster, of some rows of cells after another, label by label.

        Yields:
            Number of the first row, label, bool array (num_rows, columns), and the scores as they lie on disk, of the
            same shape. What is not known is not decided.
        """
        scored = raster.scored
        for start in range(0, raster.rows, rows):
            if self.expected is None:
                for label in labels:
                    codes = raster.codes(label, start, start + rows)
                    yield start, label, self._reached(scored, label)[codes], codes
                continue
            every = np.stack([raster.codes(label, start, start + rows) for label in raster.labels], axis=-1)
            known = every != scored.unknown
            scores = np.nan_to_num(scored.as_scores(every)).reshape(-1, every.shape[-1])
            decided = self.expected(scores).reshape(every.shape) & known
            for label in labels:
                column = raster.labels.index(label)
                yield start, label, decided[..., column], every[..., column]

    def _reached(self, scored: Scored, label: str) -> NDArray[np.bool_]:
        """Return which numbers on disk reach the cut of a label: bool (num_codes,)."""
        return at_or_above(scored.as_scores(np.arange(scored.unknown + 1)), self.cuts[label])

    def text(self) -> str:
        """Return what is said of it."""
        lines = [f"Decided by {self.title}.", *self.notes]
        if self.worth is not None and self.worth.labels is not None:
            found = self.worth.labels
            rows = zip(self.labels, found.support, found.precision, found.recall, found.f_beta, strict=True)
            shown = [
                (label, f"{support:,}", shown_cut(self.cuts.get(label)), *(f"{value:.3f}" for value in worth))
                for label, support, *worth in rows
            ]
            headers = ("label", "chips", "cut", "precision", "recall", f"F{self.worth.metric.beta:g}")
            lines += ["On chips that it has not seen:", table(headers, shown)]
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON; a cut that is never reached is null."""
        content: dict[str, Any] = {"rule": self.title, "cuts": self.cuts, "notes": list(self.notes)}
        if self.worth is not None and self.worth.labels is not None:
            found = self.worth.labels
            columns = {name: getattr(found, name).tolist() for name in ("support", "precision", "recall", "f_beta")}
            content["cross_fitted_on_chips"] = {
                label: {name: column[place] for name, column in columns.items()}
                for place, label in enumerate(self.labels)
            }
        return content


def rule_of(text: str, scored: Scored, workspace: Workspace | None = None, name: str | None = None) -> MapRule:
    """Return the rule that a text says.

    Args:
        text: one of `KNOWN`.
        scored: what the scores of the raster are of.
        workspace: where a model's or blend's cuts and out-of-fold scores lie; None: there is none.
        name: of the model or blend; None: the raster's own cuts, and the out-of-fold scores of the raster's model.

    Raises:
        UserError: if there is no such rule, or what it needs is not there.
    """
    found = re.fullmatch(r"(cuts|expected)|(cut|precision)=(\d*\.?\d+)|f(\d*\.?\d+)", text)
    if found is None:
        raise UserError(f"Unknown rule {text!r}. Known: {KNOWN}.")
    if text == CUTS:
        return _kept(scored, workspace, name)
    if text == EXPECTED:
        return _expected(scored, workspace, name)
    if found[2]:
        value = float(found[3])
        if not 0 < value <= 1:
            raise UserError(f"--rule {text}: expected more than 0 and at most 1.")
        if found[2] == "cut":
            if name is not None:
                raise UserError(f"--rule {text} takes nothing from a model. Leave --name {name} out.")
            return MapRule(f"the cut {value:g}", dict.fromkeys(scored.labels, value))
        return _learnt(text, lambda: PrecisionRule(value), 1.0, _chips(scored, workspace, name))
    if not 0 < (beta := float(found[4])) <= 100:
        raise UserError(f"--rule {text}: expected an F-beta with a beta above 0 and up to 100.")
    metric = Metric(name="f_beta", beta=beta, average="macro")
    return _learnt(text, lambda: ShrunkRule(metric), beta, _chips(scored, workspace, name))


def shown_cut(cut: float | None) -> str:
    """Return a cut for a table: a dash where there is none, or it is never reached."""
    return "–" if cut is None or np.isinf(cut) else f"{cut:.3f}"


def _kept(scored: Scored, workspace: Workspace | None, name: str | None) -> MapRule:
    """Return the rule of cuts that are kept: with the raster, or of a model or blend."""
    if name is None:
        cuts, title = dict(scored.cuts), "the cuts kept with the scores"
    else:
        cuts, title = _cuts_of(name, _opened(workspace)), f"the cuts of '{name}'"
    lacking = [label for label in scored.labels if label not in cuts]
    notes = []
    if lacking:
        prior = _prior_cut(scored, workspace)
        cuts |= dict.fromkeys(lacking, prior)
        whose = "all labels" if len(lacking) == len(scored.labels) else first(lacking)
        notes.append(f"No cuts are kept of {whose}: {prior:.3g} is the cut before any tuning.")
    return MapRule(title, {label: cuts[label] for label in scored.labels}, tuple(notes))


def _cuts_of(name: str, workspace: Workspace) -> dict[str, float]:
    """Return by label the cuts that `thresholds` has kept, or else those that a blend was made with."""
    labels = workspace.competition.labels
    member = load_member(name, workspace, ScoreStore.of(workspace))
    if (member.folder / FILE).is_file():
        cuts = read_cuts(member, workspace.competition)
        return {label: float(cut) for label, cut in zip(labels, cuts, strict=True) if not np.isnan(cut)}
    if member.provenance["kind"] == "blend" and (made := check_files(member.folder).get("cuts")):
        return {label: float(cut) for label, cut in made.items()}
    return {}


def _prior_cut(scored: Scored, workspace: Workspace | None) -> float:
    """Return the cut of the competition's metric before any tuning."""
    known = workspace is not None and workspace.competition.name == scored.competition
    competition = workspace.competition if workspace and known else load_if_shipped(scored.competition)
    if competition is None:
        raise UserError(
            f"No cuts are kept with these scores, and the competition {scored.competition!r} is not known here. "
            "Give its file by --competition, or --rule cut=C."
        )
    if competition.metric.judges != DECISIONS:
        raise UserError(
            f"No cuts are kept with these scores, and {competition.metric.title} decides nothing. "
            "Give --rule cut=C, precision=P or f0.5."
        )
    return competition.metric.prior_cut


def _expected(scored: Scored, workspace: Workspace | None, name: str | None) -> MapRule:
    """Return the rule of the highest expected F-beta, by scores calibrated on those of a model's chips if it is named.

    Unlike other rules that learn, it can do without them. Which labels go together is what the raster says.
    """
    structure = _structure(scored)
    if name is None:
        notes: tuple[str, ...] = ("The scores are taken as they are; --name calibrates them on a model's chips.",)
        as_they_are = partial(most_expected, beta=BETA, structure=structure)
        return MapRule(f"the highest expected F{BETA:g}", {}, notes, expected=as_they_are)
    known = _chips(scored, workspace, name)
    metric = _opened(workspace).competition.metric
    beta = metric.beta if metric.name == "f_beta" else BETA
    scores, truth = known.chips.scores[0][:, known.columns], known.chips.truth[:, known.columns]
    cross_fit = CrossFit(truth, known.chips.folds, Metric(name="f_beta", beta=beta))
    worth = cross_fit.evaluate(EXPECTED, lambda: ExpectedFBeta(beta, structure), cross_fit.as_they_are(scores))
    title = f"the highest expected F{beta:g}, calibrated on the chips of '{known.name}'"
    return MapRule(title, {}, (_of_chips(worth, len(truth)),), worth, scored.labels, worth.fitted.predict)


def _structure(scored: Scored) -> Structure:
    groups = (tuple(map(scored.labels.index, group)) for group in scored.exclusive)
    return Structure(tuple(groups), tuple(map(scored.labels.index, scored.alone)))


def _learnt(text: str, make: Callable[[], CutRule], beta: float, known: _Known) -> MapRule:
    """Return a rule whose cuts are learnt from out-of-fold scores, with what it is worth on chips not seen."""
    scores, truth = known.chips.scores[0][:, known.columns], known.chips.truth[:, known.columns]
    cross_fit = CrossFit(truth, known.chips.folds, Metric(name="f_beta", beta=beta, average="macro"))
    worth = cross_fit.evaluate(text, make, cross_fit.as_they_are(scores))
    cuts = dict(zip(known.labels, worth.fitted.cuts.tolist(), strict=True))
    notes = [_of_chips(worth, len(truth))]
    if never := [label for label, cut in cuts.items() if np.isinf(cut)]:
        notes.append(f"Never decided, as no cut reaches that precision: {first(never)}.")
    if few := [label for label, many in zip(known.labels, truth.sum(axis=0), strict=True) if many < FEW]:
        notes.append(f"On fewer than {FEW} chips, too few for a cut to be trusted: {first(few)}.")
    return MapRule(f"{text}, learnt from the chips of '{known.name}'", cuts, tuple(notes), worth, known.labels)


class _Known(NamedTuple):
    """What a rule may learn from.

    Attributes:
        name: of the model or blend.
        chips: that it has scored.
        labels: of the raster.
        columns: of these among the competition's labels.
    """

    name: str
    chips: SharedChips
    labels: tuple[str, ...]
    columns: list[int]


def _chips(scored: Scored, workspace: Workspace | None, name: str | None) -> _Known:
    """Return what a rule may learn from: the out-of-fold scores of a model or blend."""
    workspace = _opened(workspace)
    if not workspace.has_data:
        raise UserError(
            f"This rule learns from a model's out-of-fold scores, and the workspace {workspace.root} has no data. "
            f"Give the --workspace that '{name or scored.model}' was trained in, or --rule cut=C."
        )
    store = ScoreStore.of(workspace)
    member = load_member(name or scored.model, workspace, store)
    place = {label: column for column, label in enumerate(workspace.competition.labels) if member.oof.scored[column]}
    if lacking := [label for label in scored.labels if label not in place]:
        raise UserError(
            f"'{member.name}' of {workspace.root} does not score {first(lacking)}, which the raster has. "
            "Give the --workspace and --name of the model that made it."
        )
    chips = share([member], workspace, store.table)
    return _Known(member.name, chips, scored.labels, [place[label] for label in scored.labels])


def _opened(workspace: Workspace | None) -> Workspace:
    if workspace is None:
        raise UserError("This rule needs a workspace, with the scores of the chips of a model or blend.")
    return workspace


def _of_chips(worth: Evaluation, num_chips: int) -> str:
    return (
        f"Figures are cross-fitted on {num_chips:,} labelled chips: {worth.metric.title} {worth.cross_fitted:.3f}. "
        "Cells are means of windows, and where a label is rarer than on the chips, its precision is lower."
    )
