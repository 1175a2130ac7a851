"""What makes models again after labels were changed: a chain in which pseudo-labels come between two trainings."""

from __future__ import annotations

from pathlib import Path

from competition.corrections import relabel
from competition.workspace import Workspace
from submissions.pseudo.again import steps_again
from submissions.pseudo.make import make_pseudo
from tests.submissions.samples import blend_of, make_workspace

OUTDATED = {"a": "", "b": "", "student": "p"}


def with_a_label_turned(workspace: Workspace) -> Workspace:
    """Return the workspace, opened anew, with one label of one chip turned."""
    column, source = workspace.competition.label_index["water"], workspace.root / "wrong.csv"
    source.write_text(f"id,label,says\ntrain_0,water,{int(workspace.labelled.truth[0, column])}\n")
    relabel(workspace.delivered, source, workspace.corrections, workspace.competition)
    return Workspace(workspace.root, workspace.competition)


def test_teachers_come_before_their_blend_its_pseudo_labels_and_their_students(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path)
    blend_of("both", ["a", "b"], workspace, rule="fixed")
    make_pseudo("p", "both", workspace, power=2)
    first, blend, *others = steps_again(with_a_label_turned(workspace), OUTDATED)
    assert first == "train --models a,b --restart"
    assert blend.startswith("blend --members a,b --name both --method mean --rule fixed")
    assert others == ["pseudo p --from both --power 2.0", "train --models student --restart"]


def test_what_is_made_of_the_labels_there_are_is_not_made_again(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path)
    make_pseudo("p", "a", workspace)
    assert steps_again(workspace, {"student": "p"}) == ["train --models student --restart"]
    assert steps_again(workspace, {"a": "", "b": ""}, ["b"]) == ["train --models b", "train --models a --restart"]
    assert steps_again(workspace, {}) == []
    assert steps_again(workspace, {"student": "gone"})[0] == "pseudo gone --from BLEND"
