"""What is searched."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import pytest

from competition.common.errors import UserError
from models.tune.space import SEARCHED, Range, Space, check_choices, num_weights
from tests.models.tune.samples import SIZES, head_recipe, space_of


def test_everything_is_searched_but_what_is_fixed_and_the_recipe_itself_can_be_drawn() -> None:
    start = head_recipe(dropout=0.05, learning_rate=0.01, dense=(7,), epochs=3)
    space = Space.of(start, ["mixup", "epochs"], {}, SIZES)
    assert list(space.choices) == [name for name in SEARCHED if name not in ("mixup", "epochs")]
    assert not space.is_grid
    assert space.choices["dropout"] == Range(0.05, 0.8)
    assert space.choices["learning_rate"] == Range(2e-4, 0.01, log=True)
    params = space.params(space.start_settings)
    assert params is not None
    assert params["dense"] == "7"
    assert space.recipe(space.settings(params)) == start


def test_a_decay_of_zero_has_no_place_in_a_logarithmic_range() -> None:
    space = space_of(head_recipe(weight_decay=0.0))
    assert space.choices["weight_decay"] == SEARCHED["weight_decay"]
    assert space.params(space.start_settings) is None


def test_settings_survive_what_optuna_and_json_make_of_them() -> None:
    space = space_of(dense=((), (4,), (8, 4)), dropout=(0.0, 0.25), loss=("focal", "asymmetric"), members=(1, 8))
    for settings in space.grid():
        params = space.params(settings)
        assert params is not None
        assert space.settings(params) == settings
        assert space.recipe(settings).dense == settings["dense"]


def test_a_number_drawn_is_rounded_within_its_range() -> None:
    space = space_of(head_recipe(learning_rate=0.00018765))
    assert space.value("learning_rate", 0.000187651) == 0.000188
    assert space.value("learning_rate", 0.00018765) == 0.00018765
    assert space.value("dropout", 0.123456) == 0.123


def test_it_holds_the_recipes_that_it_may_try_and_no_others() -> None:
    space = Space.of(head_recipe(dropout=0.5), [], {"dropout": (0.2, 0.4)}, SIZES)
    tried = {**space.start_settings, "dropout": 0.4, "learning_rate": 0.001, "input_dropout": 0.4}
    assert space.holds(space.recipe(tried))
    assert space.holds(space.recipe(space.start_settings))
    assert not space.holds(space.recipe({**tried, "dropout": 0.3}))
    assert not space.holds(space.recipe({**tried, "learning_rate": 0.5}))
    assert not space.holds(dataclasses.replace(space.recipe(tried), views="flips"))


def test_layouts_too_large_for_the_bank_are_left_out() -> None:
    space = Space.of(head_recipe(dense=(512,)), [], {}, (6000, 17))
    assert space.choices["dense"] == ((512,), (), (256,), (512, 256))
    assert Space.of(head_recipe(dense=(1024,)), [], {}, (6000, 17)).choices["dense"] == (
        *((1024,), (), (256,), (512,)),
        (512, 256),
    )
    assert num_weights((512, 256), (6000, 17)) == 6000 * 512 + 512 * 256 + 256 * 17


def test_what_a_recipe_cannot_have_is_not_drawn() -> None:
    assert "label_smoothing" not in space_of(head_recipe(loss="soft_f_beta")).choices
    assert () not in space_of(head_recipe(members=4)).choices["dense"]  # type: ignore[operator]


def test_the_grid_is_every_combination_that_is_valid() -> None:
    space = space_of(dropout=(0.1, 0.2), members=(1, 4), dense=((), (4,)))
    grid = space.grid()
    assert len(grid) == 2 * 3
    assert space.num_combinations == 2 * 4
    assert {"dropout": 0.1, "members": 4, "dense": ()} not in grid


def test_it_is_a_grid_where_all_that_is_searched_is_restricted() -> None:
    fixed = [name for name in SEARCHED if name not in ("dropout", "ema")]
    assert not Space.of(head_recipe(), fixed, {"dropout": (0.1, 0.2)}, SIZES).is_grid
    assert Space.of(head_recipe(), fixed, {"dropout": (0.1, 0.2), "ema": (0.0, 0.9)}, SIZES).is_grid


@pytest.mark.parametrize(
    ("fixed", "given", "said"),
    [
        (list(SEARCHED), {}, "Nothing is left to search, as no setting has several values."),
        ([], {"dropout": (0.1, 1.5)}, r"dropout must be in [0, 1), received 1.5."),
        ([], {"warmup": (0.0, 3.0)}, "A warm-up of 3 epochs leaves none of 3 at the peak learning rate."),
    ],
)
def test_what_cannot_be_searched_is_refused(fixed: list[str], given: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=re.escape(said)):
        check_choices(head_recipe(), fixed, given, grid=False)


def test_a_grid_of_nothing_is_refused() -> None:
    with pytest.raises(UserError, match="Nothing is left to search"):
        check_choices(head_recipe(), [], {}, grid=True)


def test_features_are_dropped_as_units_where_both_shares_are_the_same() -> None:
    space = space_of()
    start = space.recipe(space.start_settings)
    same = space.recipe(space.start_settings | {"input_dropout": start.dropout})
    assert same.input_dropout is None
    assert space.recipe(space.start_settings | {"input_dropout": 0.1}).input_dropout == 0.1
