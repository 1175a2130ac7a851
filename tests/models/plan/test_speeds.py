"""Speeds as they were measured."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from models.plan.speeds import Speeds


def test_seconds_grow_with_the_pixels_from_the_nearest_size_that_was_measured() -> None:
    speeds = Speeds(chips={"a b 32": 0.001, "a b 64": 0.003, "a 32": 9.0}, decode={"32": 0.1, "224": 1.0})
    assert speeds.seconds_a_chip("a b", 32) == 0.001
    assert speeds.seconds_a_chip("a b", 128) == pytest.approx(0.012)
    assert speeds.seconds_a_chip("a b", 16) == pytest.approx(0.00025)
    assert speeds.known("a b") == [32, 64]
    assert speeds.known("b") == []
    assert speeds.seconds_to_decode(48) == 0.1
    assert Speeds().seconds_to_decode(48) == 0.0


def test_they_survive_a_file() -> None:
    speeds = Speeds(chips={"a 32": 0.001}, features={"a": 5}, flops=1e9)
    assert Speeds(**json.loads(json.dumps(asdict(speeds)))) == speeds
