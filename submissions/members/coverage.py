"""Which command comes after the cuts of a model, of those that can work."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from competition.common.errors import UserError
from competition.common.text import first
from competition.spec.competition import Competition
from competition.task import Task
from competition.workspace import Workspace
from folds.store.score_store import ScoreStore
from submissions.members.blend_files import blend_names
from submissions.members.members import Member, load_member, names_of


def after_cuts(name: str, workspace: Workspace) -> str:
    """Return the command that follows on the cuts of a model or blend; "" if there is none.

    It is a blend: of the member alone or, of a specialist, beside one that scores the other labels. Where scores of the
    chips to predict are lacking, it is the training that makes them, if their chips are there.
    """
    store, competition = ScoreStore.of(workspace), workspace.competition
    member = load_member(name, workspace, store)
    if lack_of_test_scores([member], workspace):
        default = competition.image_set(competition.default_images)
        can_predict = name in store.models() and workspace.test_names_of(default)
        return f"train --models {name}" if can_predict else ""
    if member.oof.scored.all():
        return f"blend --members {name} --name {name}-alone"
    others = (other for other in [*store.models(), *blend_names(workspace.blends)] if other != name)
    partner = next((other for other in others if _completes(other, member, workspace, store)), None)
    return f"blend --members {partner},{name} --name {partner}-with-{name}" if partner else ""


def _completes(name: str, member: Member, workspace: Workspace, store: ScoreStore) -> bool:
    """Whether a blend of `name` and `member` would score every label and every chip to predict."""
    try:
        other = load_member(name, workspace, store)
    except UserError:  # not trained on all folds, or made with others
        return False
    scored = other.oof.scored | member.oof.scored
    return bool(scored.all()) and not lack_of_test_scores([other, member], workspace)


def check_all_scored(members: Sequence[Member], competition: Competition) -> None:
    """Refuse members that leave a label without scores.

    Raises:
        UserError: if no member scores a label.
    """
    scored = np.any([member.oof.scored for member in members], axis=0)
    if not scored.all():
        lacking = ", ".join(Task.of(competition, ~scored).labels)
        names = " or ".join(f"'{member.name}'" for member in members)
        raise UserError(
            f"No scores of {lacking} by {names}. Add a model that scores them, such "
            f"as one trained for all labels: --members MODEL,{','.join(member.name for member in members)}."
        )


def shared_test_names(members: Sequence[Member], workspace: Workspace) -> tuple[str, ...]:
    """Return the ids of the chips to predict that every member has scored, in the sample submission's order."""
    common = set.intersection(*(set(member.test.names) for member in members))
    return tuple(name for name in workspace.test_names if name in common)


def lack_of_test_scores(members: Sequence[Member], workspace: Workspace) -> UserError | None:
    """Return the error that says which members lack scores of chips to predict, and what mends it; None if none does.

    Chips that a member left out as broken need no scores.
    """
    try:
        names = workspace.test_names
    except UserError as error:
        return error
    broken = {name for member in members for name in member.test_left_out}
    scored = [set(member.test.names) | broken for member in members]
    lacking = [member for member, known in zip(members, scored, strict=True) if not known.issuperset(names)]
    if not lacking:
        return None
    chips = [name for name in names if not all(name in known for known in scored)]
    models = sorted({name for member in lacking for name in _models_in(member.provenance)})
    blends = [member.name for member in lacking if member.name not in models]
    there = workspace.test_names_of(workspace.competition.image_set(workspace.competition.default_images))
    by = names_of(lacking)
    text = f"No submission: {len(chips)} of {len(names)} chips to predict have no scores by {by}: {first(chips)}."
    if not models:
        return UserError(text, command={"to import these too": f"scores import FILES --name {lacking[0].name}"})
    if blends:
        text = f"{text} Once they are scored, blend {' and '.join(blends)} again."
    prepare = {} if there else {"to have these chips at hand": "data prepare --from DIR"}
    train = {"to score them, keeping what is trained": f"train --models {','.join(models)}"}
    return UserError(text, command=prepare | train)


def _models_in(provenance: dict[str, Any]) -> set[str]:
    """Return the names of the models that a member is made of."""
    if provenance["kind"] == "model":
        return {provenance["name"]}
    return set().union(*map(_models_in, provenance["members"]))
