"""File systems that refuse what a disk of one's own grants, such as CIFS, NFS and mounted object stores; and clocks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import h5py
import pytest

from tests.faults import shim
from tests.faults.conftest import Chain, assert_is_one_line, needs_shim
from tests.faults.shim import refusing

pytestmark = needs_shim
ALL = ("chmod", "fallocate", "link", "flock")


def test_verbs_without_networks_need_neither_modes_nor_locks(quick_chain: Chain) -> None:
    root = quick_chain.begin()
    for step in quick_chain.steps:
        ended = quick_chain.run(step, refusing(root, *ALL, "mmap"))
        assert ended.code == 0, ended.output
        quick_chain.check(step)


def test_weights_are_read_where_no_file_can_be_locked(tmp_path: Path) -> None:
    path = tmp_path / "a.weights.h5"
    with h5py.File(path, "w") as file:
        file["x"] = [1.0]
    code = f"from models.backend.load import load_hdf5; print(load_hdf5().File({str(path)!r})['x'][0])"
    with shim.preloaded():
        environment = {**os.environ, **refusing(tmp_path, "flock")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.stdout == "1.0\n", done.stderr


def assert_ends_as_undisturbed(chain: Chain, environment: dict[str, str]) -> None:
    for step in chain.steps:
        ended = chain.run(step, environment)
        assert ended.code == 0, ended.output
        chain.check(step)


@pytest.mark.slow
@pytest.mark.parametrize("calls", [*((call,) for call in ALL), ALL], ids="+".join)
def test_the_chain_ends_as_on_a_disk(calls: tuple[str, ...], whole_chain: Chain) -> None:
    assert_ends_as_undisturbed(whole_chain, refusing(whole_chain.begin(), *calls))


@pytest.mark.slow
def test_a_file_system_without_maps_is_named_and_nothing_is_taken_for_damaged(whole_chain: Chain) -> None:
    root = whole_chain.begin()
    for step in whole_chain.steps:
        ended = whole_chain.run(step, refusing(root, "mmap"))
        if step.name in ("features", "fold") or step.name.startswith("train"):
            assert_is_one_line(ended, "its file system cannot do that")
            assert "damaged" not in ended.output
            ended = whole_chain.run(step)
        assert ended.code == 0, ended.output
        whole_chain.check(step)


@pytest.mark.slow
def test_a_clock_that_jumps_back_by_a_day_changes_nothing(whole_chain: Chain) -> None:
    assert_ends_as_undisturbed(whole_chain, refusing(whole_chain.begin(), back=1))
