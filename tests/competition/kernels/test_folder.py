"""What Kaggle is told of a notebook."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from competition.common.errors import UserError
from competition.kernels.folder import DATASET, Kernel, write_notebook


def test_ids_are_what_kaggle_makes_of_titles() -> None:
    kernel = Kernel("Best_of 3", "somebody", "some-competition")
    assert kernel.id == "somebody/some-competition-best-of-3"
    assert kernel.dataset == "somebody/best-of-3-networks"
    long = Kernel("x" * 80, "somebody", "some-competition")
    assert len(long.title) <= 50
    assert len(long.dataset_metadata()["title"]) <= 50
    longer = Kernel("x" * 81, "somebody", "some-competition")
    assert len({long.id, longer.id, long.dataset, longer.dataset}) == 4


def test_a_name_that_leaves_nothing_for_an_address_is_refused() -> None:
    with pytest.raises(UserError, match="Give the blend another name"):
        _ = Kernel("ä", "somebody", "ö").id


def test_a_notebook_holds_its_cells(tmp_path: Path) -> None:
    (tmp_path / DATASET).mkdir()
    write_notebook(
        tmp_path, Kernel("best", "somebody", "planet", gpu=True), [("markdown", "# a"), ("code", "b = 1\nc")]
    )
    notebook = json.loads((tmp_path / "best.ipynb").read_text())
    assert (notebook["nbformat"], [cell["cell_type"] for cell in notebook["cells"]]) == (4, ["markdown", "code"])
    assert notebook["cells"][1]["source"] == ["b = 1\n", "c"]
    about = json.loads((tmp_path / "kernel-metadata.json").read_text())
    assert (about["enable_gpu"], about["enable_internet"], about["is_private"]) == (True, False, True)
