"""Dealing jobs: each is done once, by processes that have loaded once what they need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from competition.common.errors import UserError
from models.stream.deal import Cluster, dealt
from tests.models.stream.samples import Here

JOBS = [(number, b"%d" % number) for number in (0, 1, 2, 5)]


@dataclass(frozen=True)
class Doubling:
    """Loads what doubles a number, and refuses one.

    Attributes:
        refused: this number.
        loads: whether it can be loaded.
    """

    refused: bytes = b""
    loads: bool = True

    def __call__(self) -> Callable[[bytes], bytes]:
        if not self.loads:
            raise UserError("No network here.")

        def double(job: bytes) -> bytes:
            if job == self.refused:
                raise UserError(f"No {job.decode()}.")
            return b"%d" % (2 * int(job))

        return double


@pytest.mark.parametrize("in_order", [True, False])
def test_every_job_is_done_once(here: Here, in_order: bool) -> None:
    made = list(dealt(Cluster(cpus=1), JOBS, Doubling(), in_order=in_order))
    assert sorted(made) == [(number, b"%d" % (2 * number)) for number, _ in JOBS]
    assert (made == sorted(made)) == in_order
    assert here.loaded == [{"cpus": 1}] * 2


def test_processes_are_as_many_as_fit_and_have_something_to_do(here: Here) -> None:
    list(dealt(Cluster(cpus=2), JOBS, Doubling()))
    list(dealt(Cluster(cpus=1), JOBS[:1], Doubling()))
    here.node["Resources"] = {"CPU": 8, "GPU": 3}
    list(dealt(Cluster(), JOBS, Doubling()))
    assert here.loaded == [{"cpus": 2}, {"cpus": 1}, *[{"cpus": 2, "gpus": 1}] * 3]


def test_what_the_user_can_mend_ends_it_in_one_line(here: Here) -> None:
    with pytest.raises(UserError, match=r"^No 2\.$"):
        list(dealt(Cluster(), JOBS, Doubling(refused=b"2"), in_order=True))
    assert here.dealt == [0, 1, 2]
    with pytest.raises(UserError, match=r"^No network here\.$"):
        list(dealt(Cluster(), JOBS, Doubling(loads=False)))
    here.stop_after = len(here.dealt)
    with pytest.raises(UserError, match=r"^The chips could not be worked on by the cluster: all machines are lost$"):
        list(dealt(Cluster(), JOBS, Doubling()))
