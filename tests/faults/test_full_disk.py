"""A disk that fills up at any moment: one line names what did not fit, nothing is lost, and with room all ends well.

Most is done by the shim, which lets so many bytes be written and no more: it can be told at which byte. A small disk of
the system's own, where one may be mounted, sees to it that the shim tells the truth.
"""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.faults.artefacts import digests_of
from tests.faults.chain import Step
from tests.faults.conftest import Chain, assert_is_one_line, needs_shim
from tests.faults.shim import refusing

FULL = ("No space left on device: ", "disk is full", "has ", "needs ")
ROOMS = (0, 100, 1_000, 10_000, 40_000)  # bytes that a verb of the chain may write


def fill_up(chain: Chain, step: Step, room: int) -> None:
    """Run a verb with so much room, and see what it says and that nothing is gone."""
    passing = ("/checkpoints/", "/parts/", "-journal")  # gone when what they are kept for is complete
    before = {name for name in digests_of(chain.places.workspace) if not any(part in name for part in passing)}
    ended = chain.run(step, refusing(chain.places.workspace, room=room))
    if ended.code:
        assert_is_one_line(ended, *FULL)
    assert before <= digests_of(chain.places.workspace).keys()


@needs_shim
def test_a_full_disk_is_one_line_and_leaves_no_trace(quick_chain: Chain) -> None:
    quick_chain.begin()
    for step in quick_chain.steps:
        fill_up(quick_chain, step, 500)
        assert quick_chain.run(step).code == 0
        quick_chain.check(step)


@pytest.mark.slow
@needs_shim
@pytest.mark.parametrize("seed", [0, 1])
def test_the_chain_survives_full_disks(seed: int, whole_chain: Chain) -> None:
    luck = random.Random(seed)
    whole_chain.begin()
    for step in whole_chain.steps:
        for most in luck.sample(ROOMS, 3):
            fill_up(whole_chain, step, round(most * luck.uniform(0.3, 3)))
        ended = whole_chain.run(step)
        assert ended.code == 0, ended.output
        whole_chain.check(step)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 8 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", disk], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("no disk can be mounted here")
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


@pytest.mark.slow
def test_a_real_disk_that_is_full_says_the_same(small_disk: Path, whole_chain: Chain) -> None:
    chain = replace(whole_chain, places=replace(whole_chain.places, workspace=small_disk))
    ballast = small_disk / "ballast"
    for step in chain.steps:
        for room in (0, 8_192, 60_000):
            free = os.statvfs(small_disk)
            ballast.write_bytes(b"x" * max(0, free.f_bavail * free.f_bsize - room))
            ended = chain.run(step)
            ballast.unlink()
            if ended.code:
                assert_is_one_line(ended, *FULL)
        ended = chain.run(step)
        assert ended.code == 0, ended.output
    names = {name for name in whole_chain.expected[-1].digests if not name.startswith("cache/networks")}
    assert names <= digests_of(chain.places.workspace).keys()
