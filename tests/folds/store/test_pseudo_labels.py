"""Pseudo-labels on disk: clean by fold, or refused."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from competition.common.errors import UserError
from competition.common.files import digest_file
from competition.common.records import write_record
from competition.workspace import Workspace
from folds.dealing.table import FoldTable
from folds.store.chip_weights import SUMS
from folds.store.provenance import Network, PseudoLearnt, scores_digest
from folds.store.pseudo_labels import (
    FORMAT,
    RECORD,
    Made,
    PseudoLabels,
    check_pseudo,
    every_pseudo,
    file_of,
    pseudo_names,
    write_pseudo,
)
from folds.store.score_store import ScoreStore
from folds.store.scores import FoldLabels
from tests.submissions.samples import K, add_model, make_workspace

NAMES = ("test_1", "test_0", "test_2")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return make_workspace(tmp_path, models=("a",))


def learnt(fold: int, number: int = 1) -> PseudoLearnt:
    return PseudoLearnt("earlier", fold, "digest", number, "recipe")


def made_in(workspace: Workspace, **changes: Any) -> Made:
    labelled = workspace.labelled
    networks = {fold: (Network("a", fold, "recipe", scores_digest(workspace.runs, "a", fold)),) for fold in range(K)}
    made = Made(
        "p",
        "a",
        "mean",
        1.0,
        0.5,
        workspace.competition.labels,
        ScoreStore.of(workspace).table.digest,
        labelled.digest,
        networks,
    )
    return replace(made, **changes)


def labels_for(fold: int) -> FoldLabels:
    random = np.random.default_rng(fold)
    return FoldLabels(NAMES, random.random((3, 17)).astype(np.float32), random.random((3, 17)) < 0.8)


def written(workspace: Workspace, **changes: Any) -> PseudoLabels:
    return write_pseudo(workspace, made_in(workspace, **changes), {fold: labels_for(fold) for fold in range(K)})


def test_what_was_written_is_read_for_each_fold(workspace: Workspace) -> None:
    digest = written(workspace).digest
    found = PseudoLabels.open(workspace, "p", ScoreStore.of(workspace).table)
    assert found.made == made_in(workspace)
    assert found.digest == digest
    for fold in range(K):
        read, expected = found.of_fold(fold), labels_for(fold)
        assert read.names == expected.names
        np.testing.assert_array_equal(read.targets, expected.targets)
        np.testing.assert_array_equal(read.counted, expected.counted)
    assert pseudo_names(workspace) == ["p"]
    assert [each.made.name for each in every_pseudo(workspace)] == ["p"]


def test_the_digest_tells_other_labels_and_nothing_else(workspace: Workspace) -> None:
    digest = written(workspace).digest
    assert written(workspace, power=2.0).digest == digest  # the same labels, however they came to be
    others = {fold: labels_for(fold + 1) for fold in range(K)}
    assert write_pseudo(workspace, made_in(workspace), others).digest != digest


def test_labels_by_a_network_that_saw_the_fold_are_refused(workspace: Workspace) -> None:
    networks = made_in(workspace).networks
    found = written(workspace, networks={**networks, 0: (*networks[0], *networks[1])})
    with pytest.raises(
        UserError, match=r"for fold 0 are by 'a' fold 1 which learnt from the chips that fold 0 holds out"
    ):
        found.of_fold(0)
    found.of_fold(1)
    with pytest.raises(UserError, match="fold 0 holds out"):
        check_pseudo(found.folder, ScoreStore.of(workspace).table)


def test_so_are_those_by_a_student_of_labels_for_another_fold(workspace: Workspace) -> None:
    (network,) = made_in(workspace).networks[2]
    networks = {2: (replace(network, pseudo=learnt(1)),)}
    with pytest.raises(UserError, match="learnt from the chips that fold 2 holds out"):
        written(workspace, networks=networks).of_fold(2)
    assert written(workspace, networks={2: (replace(network, pseudo=learnt(2)),)}).of_fold(2)


def test_rounds_are_counted(workspace: Workspace) -> None:
    (network,) = made_in(workspace).networks[0]
    assert made_in(workspace).round == 1
    assert made_in(workspace, networks={0: (network, replace(network, pseudo=learnt(0, 3)))}).round == 4


def test_the_file_of_another_fold_is_refused_as_what_it_is(workspace: Workspace) -> None:
    folder = written(workspace).folder
    shutil.copy(folder / file_of(1), folder / file_of(0))
    with pytest.raises(
        UserError, match=r"for fold 0 are by networks of fold 1, as .*fold0\.npz is the file of that fold"
    ):
        PseudoLabels.open(workspace, "p").of_fold(0)


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(path.read_bytes()[:-9])])
def test_a_changed_or_lost_file_is_refused_with_the_command_that_makes_it_again(
    workspace: Workspace, damage: Any
) -> None:
    damage(written(workspace, power=2.0, sure=0.9).folder / file_of(0))
    with pytest.raises(
        UserError, match=r'is missing or was changed.*"python run.py pseudo p --from a --power 2.0 --sure 0.9"'
    ):
        PseudoLabels.open(workspace, "p").of_fold(0)


def arrays(**changes: Any) -> Any:
    """Return what writes the arrays of pseudo-labels to a path, some of them other ones."""
    labels = {**vars(labels_for(0)), **changes}
    return lambda path: np.savez_compressed(path, **{name: of for name, of in labels.items() if of is not None})


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (arrays(targets=np.zeros((3, 5), np.float32), counted=np.ones((3, 5), bool)), "it is of 5 labels, not 17"),
        (arrays(targets=np.full((3, 17), "0.5")), "its array targets holds no numbers"),
        (arrays(counted=np.ones((3, 17))), "its array counted holds no array of yes and no"),
        (arrays(names=np.arange(3)), "its array names holds no list of words"),
        (arrays(names=["test_1"] * 3), "it names a chip twice"),
        (arrays(targets=np.full((3, 17), np.nan, np.float32)), r"targets must be numbers in \[0, 1\]"),
        (arrays(counted=None), "it lacks the array counted"),
        (lambda path: path.write_bytes(b"PK\3\4 junk"), "File is not a zip file"),
        (lambda path: path.write_bytes(b""), "File is not a zip file"),
    ],
)
def test_a_file_of_somebodys_making_whose_digest_fits_is_damage_all_the_same(
    workspace: Workspace, write: Any, said: str
) -> None:
    folder = written(workspace).folder
    write(folder / file_of(0))
    content = json.loads((folder / RECORD).read_text())
    content.pop("digest")
    content["files"][file_of(0)] = digest_file(folder / file_of(0))
    write_record(folder / RECORD, content, version=FORMAT)
    with pytest.raises(UserError, match=rf"fold0\.npz is damaged: {said}\..*pseudo p --from a"):
        PseudoLabels.open(workspace, "p").of_fold(0)


def test_a_damaged_record_and_a_renamed_folder_are_refused(workspace: Workspace) -> None:
    record = written(workspace).folder / RECORD
    shutil.copytree(record.parent, workspace.pseudo / "q")
    with pytest.raises(UserError, match="holds the pseudo-labels 'p'"):
        PseudoLabels.open(workspace, "q")
    record.write_text(record.read_text().replace('"power": 1.0', '"power": 2.0'))
    with pytest.raises(UserError, match=r'is damaged: its digest.*"python run.py pseudo p --from BLEND"'):
        PseudoLabels.open(workspace, "p")


def test_a_record_that_says_nonsense_is_damage(workspace: Workspace) -> None:
    record = written(workspace).folder / RECORD
    said = json.loads(record.read_text())
    said.pop("digest")
    for wrong in ({"networks": {"0": [{"model": "a"}]}}, {"files": {"../x.npz": "0"}}, {"power": "much"}):
        write_record(record, {**said, **wrong}, version=FORMAT)
        with pytest.raises(UserError, match="is damaged"):
            PseudoLabels.open(workspace, "p")


def test_those_of_other_folds_or_labels_are_refused(workspace: Workspace) -> None:
    table = ScoreStore.of(workspace).table
    written(workspace)
    with pytest.raises(UserError, match="made with other folds"):
        PseudoLabels.open(workspace, "p", FoldTable(table.image_names, (table.folds + 1) % K, K))
    written(workspace, label_digest="0" * 64)
    with pytest.raises(UserError, match="made with other labels"):
        PseudoLabels.open(workspace, "p")
    written(workspace, labels=workspace.competition.labels[::-1])
    with pytest.raises(UserError, match="other labels or another order"):
        PseudoLabels.open(workspace, "p")


def test_an_unknown_name_lists_those_there_are(workspace: Workspace) -> None:
    written(workspace)
    with pytest.raises(UserError, match=r"No pseudo-labels 'x'; there are: p\."):
        PseudoLabels.open(workspace, "x")


def test_they_say_when_their_source_has_changed(workspace: Workspace) -> None:
    found = written(workspace)
    assert found.said_of_change(workspace) == ""
    add_model(ScoreStore.of(workspace), "a", workspace.labelled.truth, seed=9, folds=[1])
    assert found.changed(workspace) == ["a"]
    assert found.said_of_change(workspace) == "The pseudo-labels 'p' were made of earlier scores than a has now."
    found.of_fold(1)  # they are clean all the same


# Corrections of labels


def corrections(workspace: Workspace, fold_of: int | None = None) -> PseudoLabels:
    """Write corrections of some chips that each fold learns from; of fold `fold_of`, of chips that it holds out."""
    table = ScoreStore.of(workspace).table
    labels = {}
    for fold in range(K):
        rows = np.flatnonzero(table.heldout(fold) == (fold == fold_of))[:3]
        labels[fold] = replace(labels_for(fold), names=tuple(table.image_names[row] for row in rows))
    networks = {fold: (Network("net", fold, "recipe", ""),) for fold in range(K)}
    features = {"cache/features/n/identity.npy": 7}
    made = made_in(workspace, source="net", of="labelled", networks=networks, features=features)
    return write_pseudo(workspace, made, labels)


def test_corrections_are_read_with_what_they_are_of(workspace: Workspace) -> None:
    corrections(workspace)
    table = ScoreStore.of(workspace).table
    found = PseudoLabels.open(workspace, "p", table)
    assert found.made.of == "labelled"
    assert found.made.command == "pseudo p --of labelled --from net"
    for fold in range(K):
        assert set(found.of_fold(fold).names) <= set(table.image_names)
    check_pseudo(found.folder, table)


def test_corrections_of_chips_that_the_fold_holds_out_are_refused(workspace: Workspace) -> None:
    corrections(workspace, fold_of=1)
    table = ScoreStore.of(workspace).table
    found = PseudoLabels.open(workspace, "p", table)
    found.of_fold(0)
    with pytest.raises(UserError, match=r"labels 3 chips that fold 1 holds out.*pseudo p --of labelled --from net"):
        found.of_fold(1)
    with pytest.raises(UserError, match="that fold 1 holds out"):
        check_pseudo(found.folder, table)
    check_pseudo(found.folder, FoldTable(table.image_names, (table.folds + 1) % K, K))  # which they are not made with


def test_records_from_before_there_were_corrections_are_read(workspace: Workspace) -> None:
    record = written(workspace).folder / RECORD
    said = json.loads(record.read_text())
    for name in ("digest", "of", "features"):
        said.pop(name)
    write_record(record, said, version=FORMAT)
    made = PseudoLabels.open(workspace, "p").made
    assert (made.of, made.features) == ("test", {})
    write_record(record, {**said, "of": "others"}, version=FORMAT)
    with pytest.raises(UserError, match="is damaged"):
        PseudoLabels.open(workspace, "p")


def test_corrections_say_when_the_features_have_changed_and_not_when_they_are_gone(workspace: Workspace) -> None:
    found = corrections(workspace)
    assert found.changed(workspace) == []
    sums = workspace.root / "cache/features/n" / SUMS
    sums.parent.mkdir(parents=True)
    write_record(sums, {"identity": 8}, version=FORMAT)
    assert found.said_of_change(workspace) == "The pseudo-labels 'p' were made of earlier features than net has now."
