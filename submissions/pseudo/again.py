"""What makes models again after labels or folds were changed: pseudo-labels come between teachers and students."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress

from competition.common.errors import UserError
from competition.common.records import read_record
from competition.workspace import Workspace
from folds.store.pseudo_labels import PseudoLabels
from folds.store.score_store import ScoreStore
from submissions.members.blend_files import FORMAT, MARKER, again, blend_names


def steps_again(workspace: Workspace, outdated: Mapping[str, str], restarted: Collection[str] = ()) -> list[str]:
    """Return the commands that make models again, each when those before it are done; none if none is outdated.

    Args:
        workspace: that they lie in.
        outdated: by name of the models, the pseudo-labels that they learn from, or "".
        restarted: names of models that are being made again already.
    """
    of_labelled = [model for model, pseudo in outdated.items() if not pseudo]
    steps = list(_trained(of_labelled, restarted))
    for name in sorted(
        {pseudo for pseudo in outdated.values() if pseudo}, key=lambda name: (_round(workspace, name), name)
    ):
        steps += _labelled(workspace, name)
        steps += _trained([model for model, pseudo in outdated.items() if pseudo == name], restarted)
    return steps


def _trained(models: Collection[str], restarted: Collection[str]) -> Iterator[str]:
    """Yield what trains models again; those that are begun again already go on."""
    for flag, some in (
        ("", [model for model in models if model in restarted]),
        (" --restart", [model for model in models if model not in restarted]),
    ):
        if some:
            yield f"train --models {','.join(some)}{flag}"


def _labelled(workspace: Workspace, name: str) -> Iterator[str]:
    """Yield what makes pseudo-labels of other folds or labels again, and before it the blend that they are of."""
    store = ScoreStore.of(workspace)
    made_with = [store.table.digest, store.label_digest]
    try:
        made = PseudoLabels.read(workspace.pseudo / name).made
    except UserError:
        yield f"pseudo {name} --from BLEND"
        return
    if [made.fold_digest, made.label_digest] == made_with:
        return
    if made.source in blend_names(workspace.blends):
        folder, blended_with = workspace.blends / made.source, []
        with suppress(UserError):
            record = read_record(folder / MARKER, dict, version=FORMAT)
            blended_with = [record.get("fold_digest"), record.get("label_digest")]
        if blended_with != made_with:
            yield next(iter(again(folder).values()))
    yield made.command


def _round(workspace: Workspace, name: str) -> int:
    """Return the round of pseudo-labels; those that cannot be read come first."""
    with suppress(UserError):
        return PseudoLabels.read(workspace.pseudo / name).made.round
    return 0
