"""What was gained by pseudo-labels: models that learnt from them against the same recipes without, and the teacher."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from competition.common.errors import UserError
from competition.common.records import read_record
from competition.common.text import counted, first
from competition.spec.metric import Metric
from competition.terminal.tables import table
from competition.workspace import Workspace
from folds.store.provenance import Provenance, PseudoLearnt
from folds.store.pseudo_labels import TEST, PseudoLabels
from folds.store.score_store import ScoreStore
from submissions.choose.candidates import make_candidates
from submissions.choose.report import LESS_IS_BETTER
from submissions.measure.evaluation import Difference, Evaluation
from submissions.members.blend_files import FORMAT, MARKER, blend_names, written_as
from submissions.names import MEAN, VOTE


@dataclass(frozen=True)
class Student:
    """A model that has learnt from pseudo-labels, with what it is held against; on the same held-out chips.

    Attributes:
        name: of it.
        is_of_now: whether it has learnt from the pseudo-labels that there are now, and not from earlier ones.
        reached: the metric of its held-out scores, by the simplest rule.
        twin: name of the model of the same recipe without pseudo-labels; "" if there is none with scores.
        over_twin: how much better than that it is, paired by chip, with the standard error.
        over_teacher: the same of what labelled the chips; None if that has no scores any more.
    """

    name: str
    is_of_now: bool
    reached: float
    twin: str
    over_twin: Difference | None
    over_teacher: Difference | None


@dataclass(frozen=True)
class Gains:
    """What pseudo-labels are made of, and what was gained by them.

    Attributes:
        pseudo: the pseudo-labels.
        changed: a line that says whose scores are others by now; "" if none are.
        replaced: a line that says that the blend of that name is another one by now; "" if it is not.
        metric: what is measured.
        students: the models that have learnt from them.
    """

    pseudo: PseudoLabels
    changed: str
    replaced: str
    metric: Metric
    students: tuple[Student, ...]

    @property
    def models(self) -> list[str]:
        """Whose networks labelled the chips."""
        return _teachers(self.pseudo)

    def text(self) -> str:
        """Return the same for people."""
        made = self.pseudo.made
        folds = counted(len(made.networks), "fold")
        what = "Pseudo-labels" if made.of == TEST else "Corrections of labels"
        lines = [f"{what} '{made.name}', round {made.round}: by '{made.source}', for {folds}."]
        lines += [line for line in (self.changed, self.replaced) if line]
        if not self.students:
            return "\n".join([*lines, "No model that has learnt from them has all its folds yet."])
        rows = [
            [
                student.name if student.is_of_now else f"{student.name} (earlier labels)",
                f"{student.reached:.4f}",
                _shown(student.over_twin),
                _shown(student.over_teacher),
            ]
            for student in self.students
        ]
        lines += [table(["model", self.metric.title, "over the same without", f"over {made.source}"], rows), ""]
        lines.append(
            "On held-out chips, which neither the model nor those that labelled its chips have seen; paired by chip, "
            "with the standard error over chips: another seed may differ by as much."
            + ("" if self.metric.sign > 0 else LESS_IS_BETTER)
        )
        if alone := [student.name for student in self.students if not student.twin]:
            lines.append(f"No model has the recipe of {first(alone)} without these: train it, by the same flags.")
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """Return the same, for JSON."""
        made = self.pseudo.made
        about = {"name": made.name, "of": made.of, "from": made.source, "round": made.round, "changed": self.changed}
        return {**about, "metric": self.metric.title, "students": [_as_dict(student) for student in self.students]}


def gains_of(name: str, workspace: Workspace) -> Gains:
    """Return what was gained by pseudo-labels, by the models that have learnt from them on all folds.

    Raises:
        UserError: if there are none of that name, or they are damaged.
    """
    store = ScoreStore.of(workspace)
    pseudo = PseudoLabels.open(workspace, name, store.table)
    known = dict(_provenances(store))
    students = [
        _student(model, learnt, known, pseudo, workspace)
        for model, made in known.items()
        if (learnt := made.pseudo) and learnt.name == name
    ]
    changed, replaced = pseudo.said_of_change(workspace), _said_of_replaced(pseudo, workspace)
    return Gains(pseudo, changed, replaced, workspace.competition.metric, tuple(students))


def _teachers(pseudo: PseudoLabels) -> list[str]:
    """Return the models whose networks labelled the chips."""
    every = (network.model for networks in pseudo.made.networks.values() for network in networks)
    return list(dict.fromkeys(every))


def _said_of_replaced(pseudo: PseudoLabels, workspace: Workspace) -> str:
    """Return a line that says that the blend which labelled the chips is made of others or otherwise by now."""
    made, record = pseudo.made, dict[str, Any]()
    with suppress(UserError):
        record = read_record(workspace.blends / made.source / MARKER, dict, version=FORMAT)
    members = [member["name"] for member in record.get("members", ())]
    labelled = _teachers(pseudo)
    if not record or (record["method"], members) == (made.method, labelled):
        return ""
    return (
        f"The blend '{made.source}' is another one by now, {record['method']} of {first(members)}: the chips were "
        f"labelled by {made.method} of {first(labelled)}."
    )


def _provenances(store: ScoreStore) -> Iterator[tuple[str, Provenance]]:
    """Yield the models that have all their folds, with what those of the first were made with."""
    for model in store.models():
        with suppress(UserError):
            found = store.join(model)
            yield model, store.provenance(model, min(found.test_by_fold))


def _student(
    model: str, learnt: PseudoLearnt, known: dict[str, Provenance], pseudo: PseudoLabels, workspace: Workspace
) -> Student:
    twin = next((other for other, made in known.items() if made.recipe_digest == learnt.without), "")
    source = pseudo.made.source
    teacher = source if source in known or source in blend_names(workspace.blends) else ""
    others = [other for other in dict.fromkeys([twin, teacher]) if other not in ("", model)]  # made anew by a student
    own, found = _measured(model, others, workspace)

    def over(other: str) -> Difference | None:
        return own.over(found[other]) if other in found else None

    return Student(model, learnt.digest == pseudo.digest, own.cross_fitted, twin, over(twin), over(teacher))


def _measured(model: str, others: list[str], workspace: Workspace) -> tuple[Evaluation, dict[str, Evaluation]]:
    """Return the evaluation of a model's held-out scores by the simplest rule, and of others, on the chips they share.

    Raises:
        UserError: if it is a specialist: that is measured in a blend.
    """
    candidates, found = make_candidates([model, *others], workspace), dict[str, Evaluation]()
    for number in candidates.whole:
        member = candidates.members[number]
        own = written_as(member.folder)
        method = VOTE if own and own.method == VOTE else MEAN  # shares of votes are decided by majority
        found[member.name] = candidates.singles(number, [candidates.simplest_rule], method)[0].evaluation
    if model not in found:
        raise UserError(f"'{model}' scores some labels only. Compare blends with and without it.", command="compare")
    return found.pop(model), found


def _shown(difference: Difference | None) -> str:
    return "-" if difference is None else f"{difference.value:+.4f} ± {difference.error:.4f}"


def _as_dict(student: Student) -> dict[str, Any]:
    return {
        **{name: getattr(student, name) for name in ("name", "is_of_now", "reached", "twin")},
        **{
            name: None if difference is None else difference._asdict()
            for name, difference in (("over_twin", student.over_twin), ("over_teacher", student.over_teacher))
        },
    }
