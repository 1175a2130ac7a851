"""Steps and their names."""

from __future__ import annotations

import itertools

import pytest

from competition.common.files import checked_name
from models.plan.steps import Bank, Step, same_views
from models.plan.worth import DENSE, HEADS, JOINT, LINEAR, SCRATCH_HEAD, VIEWS
from models.recipes.named import resolve

PLAIN, FLIPS, D4 = VIEWS[0], VIEWS[2], VIEWS[-1]
DENSENET, VGG = Bank("densenet121_levels", "densenet121", 64, D4), Bank("vgg16_levels", "vgg16", 48, FLIPS)


def test_steps_that_differ_have_names_that_do_and_that_can_be_kept() -> None:
    banks = [
        Bank("densenet121_levels", "densenet121", size, views) for size, views in itertools.product((32, 64), VIEWS)
    ]
    steps = [Step((bank,), head) for bank in banks for head in HEADS if head not in (JOINT, SCRATCH_HEAD)]
    steps += [Step(same_views([bank, VGG]), JOINT) for bank in banks[-2:-1]]
    steps += [Step((Bank("residual", "residual", 32, D4, epochs),), SCRATCH_HEAD) for epochs in (1, 2)]
    names = [checked_name("model", f"best-{step.name}") for step in steps]
    assert len(set(names)) == len(names)
    assert Step((DENSENET,), DENSE).name == "densenet121-64px-d4"
    assert Step(same_views([DENSENET, VGG]), JOINT).name == "joint-densenet121-64px-vgg16-48px-flips"


@pytest.mark.parametrize("views", VIEWS)
@pytest.mark.parametrize("head", [head for head in HEADS if head not in (JOINT, SCRATCH_HEAD)])
@pytest.mark.parametrize("source", ["densenet121_levels", "vgg16", "densenet121_tabm", "resnet50"])
def test_every_step_is_a_recipe(views: object, head: str, source: str) -> None:
    bank = Bank(source, source, 64, views)  # type: ignore[arg-type]
    recipe = resolve(source, Step((bank,), head).values())
    assert recipe.input_size == 64
    assert recipe.on_bank
    assert recipe.drawn_views == bank.drawn_views
    assert recipe.test_views == bank.test_views
    assert (recipe.dense == ()) == (head == LINEAR)


def test_rows_are_those_that_training_and_scoring_ask_for() -> None:
    rows = VGG.rows(10, 6)
    assert {key[3] for key in rows if key[2] == "train"} == set(VGG.drawn_views) | set(VGG.test_views) | {"identity"}
    assert {key[3] for key in rows if key[2] == "test"} == set(VGG.test_views)
    assert set(rows.values()) == {10, 6}
    assert not [key for key in VGG.rows(10, 0) if key[2] == "test"]


def test_a_joint_head_needs_no_views_that_one_of_its_banks_lacks() -> None:
    joint = same_views([DENSENET, VGG])
    assert {bank.views for bank in joint} == {FLIPS}
    for bank, own in zip(joint, (DENSENET, VGG), strict=True):
        assert bank.rows(9, 9).keys() <= own.rows(9, 9).keys()
    assert joint[0].short > DENSENET.short


def test_what_a_bank_is_worth_does_not_tell_it_apart() -> None:
    assert Bank("a", "a", 32, D4, 0, 1.0) == Bank("a", "a", 32, D4, 0, 2.0)
