"""Labelled chips that are copies of each other."""

from __future__ import annotations

import os
import shutil

from PIL import Image

from competition.copies.copies import FILE, Copies, copies_of, kept_copies
from competition.workspace import Workspace
from folds.assign import assign_folds


def test_copies_share_a_group_through_others_and_the_rest_has_its_own():
    copies = Copies((("a", "c"),), (("c", "d"), ("e", "nobody")))
    assert copies.groups(("a", "b", "c", "d", "e")) == ["a", "b", "a", "a", "e"]
    assert copies.groups(("a", "b", "c", "d", "e"), ["p", "q", "r", "q", "s"]) == ["a", "a", "a", "a", "e"]


def test_equal_and_nearly_equal_chips_are_found_kept_and_held_out_together(workspace_of_own_chips):
    workspace = workspace_of_own_chips
    folder = workspace.layout.folders_of(workspace.competition.image_set("jpg"), "train")[0]
    names = workspace.labelled.image_names
    # Chips of the simulator are smooth at 32 pixels: those with most contrast tell copies apart.
    shutil.copyfile(folder / f"{names[0]}.jpg", folder / f"{names[7]}.jpg")
    with Image.open(folder / f"{names[3]}.jpg") as picture:
        picture.save(folder / f"{names[11]}.jpg", quality=90)
    assert kept_copies(workspace) is None
    found = copies_of(workspace)
    assert (names[0], names[7]) in found.equal
    assert {names[3], names[11]} in [set(pair) for pair in found.near]
    assert kept_copies(workspace) == found
    assigned = assign_folds(workspace, k=3, group="duplicates", force=True)
    fold = dict(zip(assigned.table.image_names, assigned.table.folds[0], strict=True))
    assert fold[names[0]] == fold[names[7]]
    assert fold[names[3]] == fold[names[11]]
    assert "of equal chips" in assigned.text()


def test_changed_chips_are_looked_at_again(workspace_of_own_chips):
    workspace = workspace_of_own_chips
    before = copies_of(workspace)
    folder = workspace.layout.folders_of(workspace.competition.image_set("jpg"), "train")[0]
    names = workspace.labelled.image_names
    shutil.copyfile(folder / f"{names[1]}.jpg", folder / f"{names[2]}.jpg")
    os.utime(folder / f"{names[2]}.jpg", ns=(1, 1))
    again = Workspace(workspace.root, workspace.competition)
    assert kept_copies(again) is None
    assert (names[1], names[2]) in copies_of(again).equal
    assert (names[1], names[2]) not in before.equal
    (workspace.cache / FILE).write_text("{")
    assert kept_copies(again) is None
