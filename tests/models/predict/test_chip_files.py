"""Files of chips are found, and read as the networks take them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from competition.common.errors import UserError
from models.predict.chip_files import SAMPLED, ChipFiles, chip_files
from tests.models.samples import PLANET, inputs_of, tiny_recipe


def files_of(folder: Path, **options) -> ChipFiles:
    recipe = tiny_recipe(input_size=12)
    return ChipFiles(
        chip_files(folder), PLANET.image_set("jpg"), recipe, inputs_of(recipe), np.dtype("uint8"), **options
    )


def test_chips_come_in_slices_in_the_order_of_their_names_without_the_broken_ones(folder):
    (folder / "chip_2.png").write_bytes(b"half")
    batches = list(files_of(folder, skip_broken=True).batches(2))
    assert [batch.names for batch in batches] == [["chip_10"], ["chip_33"]]
    assert [len(batch.broken) for batch in batches] == [1, 0]
    assert {chip.shape for batch in batches for chip in batch.chips} == {(12, 12, 3)}


def test_a_sample_is_of_the_first_chips_or_black_where_all_of_these_are_broken(folder):
    assert files_of(folder).sample().shape == (3, 12, 12, 3)
    for number in range(SAMPLED):
        (folder / f"broken_{number}.png").write_bytes(b"half")
    sample = files_of(folder, skip_broken=True).sample()
    assert sample.shape == (1, 12, 12, 3)
    assert not sample.any()


def test_folders_without_chips_or_with_one_id_twice_are_refused(tmp_path, folder):
    with pytest.raises(UserError, match="No folder"):
        chip_files(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"No chips in .*empty: expected files ending in \.jpeg, \.jpg"):
        chip_files(tmp_path / "empty")
    (folder / "chip_2.jpg").write_bytes(b"")
    with pytest.raises(UserError, match=r"Two files carry the id chip_2: chip_2\.(png|jpg) and chip_2\.(png|jpg)"):
        chip_files(folder)
