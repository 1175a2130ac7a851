"""Kills at random moments: a quick sample of verbs without networks, and a few dozen over the whole chain."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.faults.chain import STEPS, make_shared
from tests.faults.conftest import QUICK, WITHOUT_NETWORKS
from tests.faults.kills import Tally, kill_chain, plan, text_of
from tests.faults.processes import Ended, start_server


def assert_nothing_happened(tallies: dict[str, Tally]) -> None:
    faults = [fault for tally in tallies.values() for fault in tally.faults]
    assert faults == [], text_of(tallies)


def test_verbs_that_were_killed_end_as_undisturbed_ones(tmp_path: Path) -> None:
    start_server(*WITHOUT_NETWORKS)
    (tmp_path / "shared").mkdir()
    make_shared(tmp_path / "shared", with_weights=False)
    tallies = kill_chain(tmp_path / "shared", tmp_path, QUICK, kills=3, seed=1, most=2)
    assert sum(tally.kills.total() for tally in tallies.values()) >= 3
    assert_nothing_happened(tallies)


def test_the_same_seed_plans_the_same_kills() -> None:
    import random

    ended = Ended(0, "", 3.0, 40)
    kills = plan(STEPS[0], ended, 50, random.Random(3))
    assert kills == plan(STEPS[0], ended, 50, random.Random(3))
    assert {kill.signal for kill in kills} == {signal.SIGKILL, signal.SIGINT, signal.SIGTERM}
    assert all((kill.after is None) != (kill.change is None) for kill in kills)


@pytest.mark.slow
def test_the_whole_chain_survives_kills(tmp_path: Path) -> None:
    start_server("tests.faults.imports")
    (tmp_path / "shared").mkdir()
    make_shared(tmp_path / "shared")
    tallies = kill_chain(tmp_path / "shared", tmp_path, STEPS, kills=30, seed=0)
    assert_nothing_happened(tallies)
