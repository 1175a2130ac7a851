"""A workspace that may be read and not written: what reads works, and what writes names what it cannot."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from tests.faults.artefacts import digests_of
from tests.faults.chain import HERE, Step
from tests.faults.conftest import Chain, assert_is_one_line
from tests.faults.processes import Ended, run

READ = (
    "status",
    "compare --methods mean --rule fixed,uniform",
    "compare --methods none --rule fixed --weighted-to test",
    "pseudo labels",
    "report --output {elsewhere}/report.html",
    "predict --model tiny --images {chips} --output {elsewhere}/scores.csv --tags",
    "export --model pixels --output {elsewhere}/pixels.keras",
    "scores export tiny --output {elsewhere}/tiny.csv",
    "validate plain",
    "data check",
    "submit plain --message x --dry-run",
)
WRITE = (
    "data prepare --from {kaggle}",
    "folds --k 2",
    "features --models tiny --recipes {recipes}",
    "fold --model tiny --fold 0 --recipes {recipes}",
    "train --models pixels --name other --recipes {recipes}",
    "thresholds --model pixels --trials 20",
    "blend --members tiny,pixels --name plain --trials 20",
    "adversarial tiny",
    "pseudo labels --from tiny",
    "report",
)


@pytest.fixture(scope="module")
def read_only(whole_chain: Chain) -> Iterator[Chain]:
    """The workspace of a whole chain, mounted upon itself so that not even root may write to it."""
    root = whole_chain.begin()
    for step in whole_chain.steps:
        assert whole_chain.run(step).code == 0
    if subprocess.run(["mount", "--bind", root, root], capture_output=True, check=False).returncode:
        pytest.skip("nothing can be mounted here")
    subprocess.run(["mount", "-o", "remount,ro,bind", root], check=True)
    yield whole_chain
    subprocess.run(["umount", "--lazy", root], check=True)  # what looked into it may not have let go yet


def outcome_of(command: str, chain: Chain) -> Ended:
    before = digests_of(chain.places.workspace)
    words = chain.places.words(Step(command, f"{command.replace('{elsewhere}', str(chain.places.shared))} {HERE}"))
    ended = run(words, chain.places.workspace)
    assert digests_of(chain.places.workspace) == before
    return ended


@pytest.mark.slow
@pytest.mark.parametrize("command", READ)
def test_what_reads_works(command: str, read_only: Chain) -> None:
    ended = outcome_of(command, read_only)
    assert ended.code == 0, ended.output
    assert not ended.has_traceback


@pytest.mark.slow
@pytest.mark.parametrize("command", WRITE)
def test_what_writes_names_what_it_cannot_write(command: str, read_only: Chain) -> None:
    ended = outcome_of(command, read_only)
    assert_is_one_line(ended, "Read-only file system")
    assert str(read_only.places.workspace) in ended.output
