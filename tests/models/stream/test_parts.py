"""Chips in parts: whole batches of one process, the sample of all, and machines that have something else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from competition.common.errors import UserError
from competition.remote.places import Place
from models.backend.devices import batch_size_for
from models.predict.chip_files import AllBrokenError
from models.stream.output import Output
from models.stream.parts import Parts, Scoring, chips_a_part, packed, unpacked
from tests.models.predict.test_predictor import predictor_for

CHIPS = [(f"chip_{number:04}", (f"within/chip_{number:04}.png",)) for number in range(1001)]


@pytest.mark.parametrize("size", [16, 64, 256, 300])
def test_a_part_is_whole_batches(size: int) -> None:
    assert chips_a_part(size) >= 4096
    assert chips_a_part(size) % batch_size_for(size) == 0


def test_parts_hold_every_chip_in_order_in_little_room() -> None:
    assert unpacked(packed(CHIPS)) == dict(CHIPS)
    parts = Parts.of(iter(CHIPS), 250)
    assert [chip for part in parts.packed for chip in unpacked(part).items()] == CHIPS
    assert [parts.count(part) for part in range(5)] == [250] * 4 + [1]
    assert (parts.num_chips, [number for number, _ in parts.jobs({1, 3})]) == (1001, [0, 2, 4])
    assert sum(map(len, parts.packed)) < 12 * 1001
    assert parts.digest() == Parts.of(CHIPS, 250).digest() != Parts.of(CHIPS[1:], 250).digest()


def test_the_sample_is_that_of_one_process_whatever_is_broken(tmp_path: Path) -> None:
    for number in range(10):
        (tmp_path / f"chip_{number}.png").write_bytes(b"half")
    predictor = predictor_for()

    def sample(*, skip_broken: bool = True) -> np.ndarray:
        parts = Parts.of(predictor.chips_in(tmp_path), 4)
        return parts.sample(predictor, tmp_path, skip_broken=skip_broken)

    with pytest.raises(AllBrokenError, match=r"^No chip of 10 can be read\. Broken chip .*chip_0\.png"):
        sample()
    with pytest.raises(UserError, match=r"Broken chip .*chip_0\.png.* add --skip-broken"):
        sample(skip_broken=False)
    Image.new("RGB", (12, 12), "red").save(tmp_path / "chip_9.png")
    one = predictor.files(tmp_path, dict(predictor.chips_in(tmp_path)), skip_broken=True).sample()
    np.testing.assert_array_equal(sample(), one)


def test_a_machine_with_another_model_or_without_the_folder_says_so(tmp_path: Path) -> None:
    there = Output(Place.of(str(tmp_path)))
    scoring = Scoring(predictor_for, predictor_for().key, np.empty(0), tmp_path, there, False, None)
    scoring()
    with pytest.raises(
        UserError, match=r"^a stand-in on .*: expected the model that was asked for; its files differ\.$"
    ):
        replace(scoring, key={"model": "other"})()
    with pytest.raises(
        UserError, match=r"^No folder .*/gone on .*\. Give --images a folder that all machines share, or"
    ):
        replace(scoring, where=tmp_path / "gone")()
