"""Which command comes after the cuts of a model, of those that can work."""

from __future__ import annotations

from competition.errors import UserError
from competition.workspace import Workspace
from folds.scores import ScoreStore
from submissions.blend_files import blend_names
from submissions.members import Member, lack_of_test_scores, load_member


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
