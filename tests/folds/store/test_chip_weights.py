"""Weights of labelled chips, kept and held against what they were made of."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from competition.common.errors import UserError
from competition.common.records import write_record
from competition.workspace import Workspace
from folds.dealing.table import make_table
from folds.store.chip_weights import (
    FILE,
    FORMAT,
    ChipWeights,
    MadeOf,
    digest_of_test,
    effective,
    read_weights,
    write_weights,
)
from tests.submissions.samples import make_workspace, write_table

BANK = "cache/features/net-64px-1/identity.npy"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return make_workspace(tmp_path, models=(), num_chips=30)


def kept(workspace: Workspace) -> ChipWeights:
    """Write weights of a bank, and return them."""
    (workspace.root / BANK).parent.mkdir(parents=True)
    write_record((workspace.root / BANK).with_name("sums.json"), {"identity": 5}, version=1)
    names = workspace.labelled.image_names
    table = make_table(names, workspace.labelled.truth, k=3, seed=0)
    made_of = MadeOf("m", "recipe", table.digest, digest_of_test(workspace), {BANK: 5})
    weights = ChipWeights(names, np.linspace(0.5, 1.5, len(names)), made_of)
    write_weights(weights, workspace, area=0.6)
    return weights


def test_weights_come_back_by_name(workspace: Workspace) -> None:
    weights = kept(workspace)
    read = read_weights(workspace)
    assert read.made_of == weights.made_of
    backwards = weights.names[::-1]
    np.testing.assert_allclose(read.of(backwards), weights.values[::-1], atol=1e-6)
    with pytest.raises(UserError, match=rf"1 of 2 chips have no weight in {FILE}: other.*adversarial m"):
        read.of([weights.names[0], "other"])


def test_without_weights_the_verb_that_finds_them_is_named(workspace: Workspace) -> None:
    with pytest.raises(UserError, match="adversarial MODEL"):
        read_weights(workspace)


def test_what_the_weights_were_made_of_must_be_as_it_was(workspace: Workspace) -> None:
    weights = kept(workspace)
    make_table(weights.names, workspace.labelled.truth, k=3, seed=1).write(workspace.fold_table)
    with pytest.raises(UserError, match=r"another fold table.*adversarial m"):
        read_weights(workspace)
    make_table(weights.names, workspace.labelled.truth, k=3, seed=0).write(workspace.fold_table)
    write_record((workspace.root / BANK).with_name("sums.json"), {"identity": 6}, version=1)
    with pytest.raises(UserError, match="other features than those in"):
        read_weights(workspace)
    (workspace.root / BANK).with_name("sums.json").unlink()  # a cache may be removed
    assert read_weights(workspace).names == weights.names
    tables = workspace.competition.tables
    assert tables.sample_submission
    path = workspace.layout.table(tables.sample_submission)
    write_table(path, ["test_1"], np.ones((1, len(workspace.competition.labels)), bool), workspace.competition)
    with pytest.raises(UserError, match="of other chips to predict"):
        read_weights(replace(workspace))


@pytest.mark.parametrize("text", ["", "{}", '{"format": 1, "names": ["a"], "weights": [-1], "made_of": {}}'])
def test_a_damaged_file_is_named(workspace: Workspace, text: str) -> None:
    (workspace.root / FILE).write_text(text)
    with pytest.raises(UserError, match=rf"{FILE} is damaged.*adversarial MODEL"):
        read_weights(workspace)


@pytest.mark.parametrize("value", [0.0, 1e-200, 1e160, 1e308, 1.7e308, float("nan")])
def test_weights_of_which_no_mean_could_be_made_are_damage(workspace: Workspace, value: float) -> None:
    kept(workspace)
    said = json.loads((workspace.root / FILE).read_text())
    del said["digest"]
    write_record(workspace.root / FILE, {**said, "weights": [value] * 30}, version=FORMAT)
    with pytest.raises(UserError, match=rf"{FILE} is damaged.*adversarial MODEL"):
        read_weights(workspace)


def test_effective_chips_are_all_where_all_weigh_the_same_and_one_where_one_alone_does() -> None:
    assert effective(np.full(7, 3.0)) == pytest.approx(7)
    assert effective(np.array([0.0, 2.0, 0.0])) == pytest.approx(1)
    assert effective(np.zeros(3)) == 0


def test_the_digest_is_that_of_which_chip_weighs_what(workspace: Workspace) -> None:
    kept(workspace)
    read = read_weights(workspace)
    assert replace(read, made_of=replace(read.made_of, model="other")).digest == read.digest
    assert replace(read, values=read.values[::-1].copy()).digest != read.digest
    assert replace(read, names=read.names[::-1]).digest != read.digest
