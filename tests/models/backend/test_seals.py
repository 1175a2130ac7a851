"""Seals of weights: whatever bit of a file turns, it is refused, or its weights are what they were."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from models.backend.seals import SEAL, check_seal, seal, write_sealed


@pytest.fixture(scope="module")
def network() -> keras.Model:
    keras.utils.set_random_seed(3)
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(6), keras.layers.BatchNormalization()])


@pytest.fixture
def path(network: keras.Model, tmp_path: Path) -> Path:
    network.save_weights(tmp_path / "a.weights.h5")
    seal(tmp_path / "a.weights.h5")
    return tmp_path / "a.weights.h5"


def test_what_was_sealed_is_whole_and_keras_reads_it(network: keras.Model, path: Path) -> None:
    check_seal(path)
    other = keras.models.clone_model(network)
    other.load_weights(path)
    for one, two in zip(network.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


def test_equal_weights_make_equal_files(network: keras.Model, path: Path) -> None:
    """Scores in parts are kept under the digest of the network's file."""
    again = path.with_name("again.weights.h5")
    network.save_weights(again)
    seal(again)
    assert again.read_bytes() == path.read_bytes()


def test_weights_of_another_fold_seed_or_model_are_refused(network: keras.Model, tmp_path: Path) -> None:
    paths = [tmp_path / job / "x.weights.h5" for job in ("a/fold0", "a/fold0/seed1", "a/fold1", "b/fold0")]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_sealed(network, path)
        assert check_seal(path)
    for path in paths[1:]:
        paths[0].write_bytes(path.read_bytes())
        with pytest.raises(ValueError, match=r"its weights are those of [ab] fold [01] seed [01]"):
            check_seal(paths[0])
    extractors = [tmp_path / model / "extractor0.weights.h5" for model in ("a", "b")]
    for path in extractors:
        write_sealed(network, path.with_name(f".tmp-1.{path.name}"))
        path.with_name(f".tmp-1.{path.name}").rename(path)
        assert check_seal(path)
    extractors[0].write_bytes(extractors[1].read_bytes())
    with pytest.raises(ValueError, match="its weights are those of b"):
        check_seal(extractors[0])


def test_a_file_without_a_seal_is_taken_as_it_is(network: keras.Model, tmp_path: Path) -> None:
    network.save_weights(tmp_path / "b.weights.h5")
    check_seal(tmp_path / "b.weights.h5")


def arrays(path: Path) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, held: found.update({name: held[()]}) if isinstance(held, h5py.Dataset) else None)
    return found


def test_whatever_bit_turns_the_file_is_refused_or_its_weights_are_what_they_were(path: Path) -> None:
    whole, expected, refused = path.read_bytes(), arrays(path), 0
    for place in np.random.default_rng(0).choice(len(whole), 400, replace=False):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        try:
            check_seal(path)
        except Exception:  # h5py raises whatever it likes on a damaged file
            refused += 1
            continue
        found = {}
        with suppress(Exception):
            found = arrays(path)
        np.testing.assert_equal(found, expected)
    assert refused > 5


def test_every_value_is_sealed(path: Path) -> None:
    for name in arrays(path):
        with h5py.File(path, "r+") as file:
            held = file[name]
            before = held[()]
            held[...] = np.nextafter(before, np.inf, dtype=before.dtype)
        with pytest.raises(ValueError, match="its weights are not those that were written"):
            check_seal(path)
        with h5py.File(path, "r+") as file:
            file[name][...] = before
        check_seal(path)
    with h5py.File(path) as file:
        assert len(file.attrs[SEAL]) == 64


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has a disk that is always full")
def test_a_full_disk_is_an_error_of_the_system(network: keras.Model) -> None:
    """HDF5 would bring Python down."""
    with pytest.raises(OSError, match="No space left on device"):
        write_sealed(network, Path("/dev/full"))


def test_weights_that_lie_in_another_file_are_refused(path: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"0123456789abcdef")
    with h5py.File(path, "r+") as file:
        del file.attrs[SEAL]
        file.create_dataset("layers/further", (4,), "float32", external=[(str(tmp_path / "secret"), 0, 16)])
    with pytest.raises(ValueError, match="lie in another file"):
        check_seal(path)
