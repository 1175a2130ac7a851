"""Candidates, speeds and costs as they may have been measured."""

from __future__ import annotations

from functools import cache

from models.plan.candidates import Candidate
from models.plan.cost import Costs, Facts
from models.plan.speeds import Speeds
from models.recipes.named import resolve

LARGE = Facts(num_train=36_000, num_test=60_000, num_labels=17, num_folds=5, share_held_out=0.2, chip_size=32)
SMALL = Facts(num_train=400, num_test=100, num_labels=17, num_folds=5, share_held_out=0.2, chip_size=32)
SOURCES = {"mobilenet_v2_levels": 4500.0, "densenet121_levels": 1100.0, "vgg16_levels": 300.0}  # chips a second


def candidates(*sources: str) -> list[Candidate]:
    """Return candidates of some recipes; default: all three of `SOURCES`."""
    return [_candidate(source) for source in sources or SOURCES]


@cache
def _candidate(source: str) -> Candidate:
    recipe = resolve(source, {"images": "jpg"})
    return Candidate(source, recipe.backbone.lower(), recipe)


def speeds() -> Speeds:
    """Return the speeds of a machine of two cores, about."""
    return Speeds(
        chips={f"{source} 32": 1 / rate for source, rate in SOURCES.items()} | {"residual 32": 1 / 100},
        scores={"residual 32": 1 / 1000},
        ready=dict.fromkeys(SOURCES, 3.0) | {"residual": 2.0},
        features=dict.fromkeys(SOURCES, 3840) | {"residual": 0},
        decode={"32": 0.0002},
        flops=150e9,
    )


def costs(facts: Facts = LARGE, *sources: str) -> Costs:
    """Return what reckons the steps of some candidates."""
    return Costs(facts, speeds(), {candidate.source: candidate for candidate in candidates(*sources)})
