from __future__ import annotations

from pathlib import Path

import pytest

from competition.common.locks import BusyError
from folds.store.alone import alone, alone_with_seeds, model_and_fold, owner_of


def test_a_fold_and_its_seeds_are_held_one_by_one_or_together(tmp_path: Path) -> None:
    fold = tmp_path / "m/fold3"
    (fold / "seed1").mkdir(parents=True)
    with alone(fold), alone(fold / "seed1"):
        pass
    for held in (fold, fold / "seed1"):
        with alone(held), pytest.raises(BusyError, match=r"at 'm' fold 3"), alone_with_seeds(fold):
            pass
        with alone_with_seeds(fold), pytest.raises(BusyError, match=r"at 'm' fold 3"), alone(held):
            pass
    assert {path.name for path in fold.iterdir()} == {"seed1"}  # the locks lie beside, as the folder may be replaced


def test_a_path_tells_model_and_fold(tmp_path: Path) -> None:
    for path in ("m/fold3", "m/fold3/seed1", "m/fold3/head/checkpoints/a.npy"):
        assert model_and_fold(tmp_path / path) == ("m", 3)
    assert model_and_fold(tmp_path / "m/recipe.json") == ("", -1)


def test_folders_above_a_fold_may_be_called_anything(tmp_path: Path) -> None:
    above = tmp_path / "seed42" / "fold9"
    assert owner_of(above / "m/fold3/scores.json") == {"model": "m", "fold": 3, "seed": 0}
    assert owner_of(above / "m/fold3/seed1/made.json") == {"model": "m", "fold": 3, "seed": 1}
