"""What pays."""

from __future__ import annotations

import pytest

from models.plan.worth import (
    DENSE,
    HEAD_SETS,
    HEADS,
    LINEAR,
    SIZES,
    VIEWS,
    WIDE,
    Weighed,
    short_of_size,
    sizes_for,
    worth,
)

DENSENET, VGG = (("densenet121", 64),), (("vgg16", 48),)


def test_a_further_model_never_takes_worth_away_and_another_backbone_adds_most() -> None:
    alone = [Weighed(DENSENET, DENSE, 0.0)]
    added = {
        "backbone": worth([*alone, Weighed(VGG, DENSE, 2.0)]),
        "size": worth([*alone, Weighed((("densenet121", 96),), DENSE, 2.0)]),
        "head": worth([*alone, Weighed(DENSENET, WIDE, 2.0)]),
        "same": worth([*alone, Weighed(DENSENET, DENSE, 2.0)]),
        "weak": worth([*alone, Weighed((("mobilenetv2", 32),), DENSE, 90.0)]),
    }
    assert added["backbone"] > added["size"] > added["head"] > added["same"] == added["weak"] == worth(alone)


def test_the_order_of_the_models_plays_no_part_and_later_ones_add_less() -> None:
    models = [Weighed(DENSENET, DENSE, 0.0), Weighed(VGG, DENSE, 2.0), Weighed((("mobilenetv2", 48),), DENSE, 13.0)]
    assert worth(models) == pytest.approx(worth(models[::-1]))
    third = worth(models) - worth(models[:2])
    assert third < worth([models[0], models[2]]) - worth(models[:1])
    assert worth([]) == 0.0 < worth(models[:1])


def test_blends_are_worth_about_what_they_were_measured_to_be() -> None:
    """By F2 on 36,037 chips, in thousandths over DenseNet121 at 64 px."""

    def blend(*members: tuple[str, int, float]) -> float:
        return worth([Weighed(((backbone, size),), DENSE, short) for backbone, size, short in members])

    best = ("densenet121", 64, 0.0)
    vgg, mobile, large, small = (
        ("vgg16", 48, 3.3),
        ("mobilenetv2", 48, 13.7),
        ("densenet121", 96, 0.0),
        ("densenet121", 32, 5.0),
    )
    for members, measured in {
        (vgg,): 3.9,
        (mobile,): 1.9,
        (large,): 2.8,
        (small,): 2.4,
        (vgg, mobile): 4.4,
        (vgg, mobile, large): 5.1,
    }.items():
        assert blend(best, *members) - blend(best) == pytest.approx(measured, abs=0.5), members


@pytest.mark.parametrize("chip_size", [8, 20, 32, 64, 100, 256, 1000])
def test_there_are_sizes_for_chips_of_every_size(chip_size: int) -> None:
    sizes = sizes_for(chip_size)
    assert sizes
    assert sorted(sizes) == list(sizes)
    assert set(sizes) <= set(SIZES)
    assert all(short_of_size(size, chip_size) > -1e-9 for size in sizes)


def test_more_views_are_worth_more() -> None:
    assert [views.short for views in VIEWS] == sorted((views.short for views in VIEWS), reverse=True)
    assert len({views.tag for views in VIEWS}) == len(VIEWS)
    assert {head for heads in HEAD_SETS for head in heads} <= HEADS.keys()
    assert HEADS[LINEAR].short > HEADS[DENSE].short
