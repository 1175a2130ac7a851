"""Agreement of submissions by prefix of the ids."""

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr

from competition.common.errors import UserError
from competition.metrics.f_beta import f_beta_per_chip
from submissions.submit.agreement import agreement
from tests.submissions.samples import draw_truth, planet, write_table
from tests.submissions.submit.samples import scored

PLANET = planet()
NAMES = [f"test_{i}" for i in range(300)] + [f"file_{i}" for i in range(150)]
STRONG = draw_truth(PLANET, 450)
RARE = PLANET.label_index["blow_down"]


def noisy() -> np.ndarray:
    """Return decisions that differ from the strong ones in a label of every fifth row."""
    decisions = STRONG.copy()
    decisions[::5, RARE] ^= True
    return decisions


def test_mixed_up_file_rows_are_flagged(tmp_path: Path) -> None:
    strong = write_table(tmp_path / "strong.csv", NAMES, STRONG, PLANET)
    mixed = noisy()
    mixed[300:] = mixed[300:][np.random.default_rng(0).permutation(150)]
    found = agreement(write_table(tmp_path / "mixed.csv", NAMES, mixed, PLANET), strong, PLANET)
    assert [each.prefix for each in found.prefixes] == ["file", "test"]
    (warning,) = found.warnings
    assert "agree far less on file_* (F2" in warning
    assert warning in found.text()


def test_an_even_agreement_is_not_flagged(tmp_path: Path) -> None:
    strong = write_table(tmp_path / "strong.csv", NAMES, STRONG, PLANET)
    found = agreement(write_table(tmp_path / "other.csv", NAMES, noisy(), PLANET), strong, PLANET)
    assert found.warnings == []
    test = next(each for each in found.prefixes if each.prefix == "test")
    assert (test.num_rows, test.measures["identical"]) == (300, 0.8)
    assert test.measures["F2"] == pytest.approx(f_beta_per_chip(STRONG[:300], noisy()[:300], 2).mean())
    both, either = (STRONG & noisy())[:300].sum(axis=1), (STRONG | noisy())[:300].sum(axis=1)
    assert test.measures["Jaccard"] == pytest.approx((both / either).mean())


def test_a_few_unlucky_rows_are_not_flagged(tmp_path: Path) -> None:
    names = [f"test_{i}" for i in range(300)] + ["file_0", "file_1"]
    strong = write_table(tmp_path / "strong.csv", names, STRONG[:302], PLANET)
    decisions = STRONG[:302].copy()
    decisions[300] = STRONG[5]
    found = agreement(write_table(tmp_path / "other.csv", names, decisions, PLANET), strong, PLANET)
    assert found.prefixes[0].measures["F2"] < 0.9
    assert found.warnings == []


def test_order_plays_no_part_and_ids_of_one_file_only_are_said(tmp_path: Path) -> None:
    strong = write_table(tmp_path / "strong.csv", NAMES, STRONG, PLANET)
    other = write_table(tmp_path / "other.csv", [*NAMES[:0:-1], "new_1"], STRONG[::-1], PLANET)
    found = agreement(other, strong, PLANET)
    assert [each.measures["identical"] for each in found.prefixes] == [1, 1]
    assert "2 ids are in one of the files only" in found.text()


def test_ids_without_a_number_are_one_group(tmp_path: Path) -> None:
    paths = [write_table(tmp_path / f"{i}.csv", ["one", "two"], STRONG[:2], PLANET) for i in range(2)]
    found = agreement(*paths, PLANET)
    assert [(each.prefix, each.num_rows, each.measures["F2"]) for each in found.prefixes] == [("", 2, 1.0)]


def test_files_that_cannot_be_compared_are_refused(tmp_path: Path) -> None:
    strong = write_table(tmp_path / "strong.csv", NAMES, STRONG, PLANET)
    other = write_table(tmp_path / "other.csv", ["x"], STRONG[:1], PLANET)
    with pytest.raises(UserError, match="have no id in common; the first has x"):
        agreement(other, strong, PLANET)
    other.write_text("something else")
    with pytest.raises(UserError, match=r"other.csv cannot be compared: missing columns"):
        agreement(other, strong, PLANET)


def write_scores(path: Path, names: list[str], scores: np.ndarray) -> Path:
    rows = [f"{name},{','.join(map(str, row))}" for name, row in zip(names, scores.tolist(), strict=True)]
    path.write_text("\n".join(["id,wet sand,rock", *rows]) + "\n")
    return path


def test_scores_agree_by_their_difference_and_their_ranks(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    strong = random.random((450, 2)).round(6)
    other = np.clip(strong / 2 + random.normal(scale=0.02, size=strong.shape), 0, 1).round(6)
    path = write_scores(tmp_path / "strong.csv", NAMES, strong)
    found = agreement(write_scores(tmp_path / "other.csv", NAMES, other), path, scored({}))
    assert found.warnings == []
    test = next(each for each in found.prefixes if each.prefix == "test")
    assert test.measures["mean difference"] == pytest.approx(np.abs(strong - other)[:300].mean())
    expected = [spearmanr(strong[:300, i], other[:300, i]).statistic for i in range(2)]
    assert test.measures["rank correlation"] == pytest.approx(np.mean(expected))
    other[300:] = other[300:][random.permutation(150)]
    found = agreement(write_scores(tmp_path / "other.csv", NAMES, other), path, scored({}))
    (warning,) = found.warnings
    assert "agree far less on file_* (rank correlation" in warning
    assert warning in found.text()


def test_equal_scores_have_no_ranks_and_no_warning(tmp_path: Path) -> None:
    paths = [write_scores(tmp_path / f"{i}.csv", NAMES[:4], np.full((4, 2), 0.5)) for i in range(2)]
    found = agreement(*paths, scored({}))
    assert "nan" in found.text()
    assert found.warnings == []
