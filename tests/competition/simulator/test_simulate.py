"""The made-up data set: Kaggle's layout, the same bytes for the same seed, and labels that can be learned."""

from __future__ import annotations

import io
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from competition.common.errors import UserError
from competition.simulator import simulate as simulator
from competition.simulator.label_rates import draw_labels
from competition.simulator.render import LABELS, render_chip
from competition.simulator.simulate import encode_jpeg, simulate
from competition.spec import load as spec


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("simulated") / "data"
    simulate(root, num_train=14, num_test=12, size=32, seed=3, tif=True, rare_boost=5.0)
    return root


def read_table(path: Path) -> list[list[str]]:
    return [line.split(",") for line in path.read_text().splitlines()]


def files_in(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def test_labels_are_those_of_the_competition():
    assert spec.load("planet").labels == LABELS


def test_layout_is_kaggles(data):
    assert {path.name for path in data.iterdir()} == {
        "train-jpg", "test-jpg", "test-jpg-additional", "train-tif-v2", "test-tif-v2", "train_v2.csv",
        "sample_submission_v2.csv", "test_v2_file_mapping.csv", "simulated_test_labels.csv",
    }  # fmt: skip
    names = {folder: {path.stem for path in (data / folder).iterdir()} for folder in ("train-jpg", "test-jpg")}
    additional = {path.stem for path in (data / "test-jpg-additional").iterdir()}
    assert names["train-jpg"] == {f"train_{i}" for i in range(14)}
    assert names["test-jpg"] == {f"test_{i}" for i in range(8)}
    assert additional == {f"file_{i}" for i in range(4)}
    assert {path.stem for path in (data / "train-tif-v2").iterdir()} == names["train-jpg"]
    assert {path.stem for path in (data / "test-tif-v2").iterdir()} == names["test-jpg"] | additional


def test_tables_are_kaggles(data):
    header, *train = read_table(data / "train_v2.csv")
    assert header == ["image_name", "tags"]
    assert [name for name, _ in train] == [f"train_{i}" for i in range(14)]
    assert {tag for _, tags in train for tag in tags.split()} <= set(LABELS)
    header, *sample = read_table(data / "sample_submission_v2.csv")
    assert header == ["image_name", "tags"]
    assert [name for name, _ in sample] == [f"test_{i}" for i in range(8)] + [f"file_{i}" for i in range(4)]
    assert {tags for _, tags in sample} == {"primary clear agriculture road water"}
    truth = read_table(data / "simulated_test_labels.csv")[1:]
    assert [name for name, _ in truth] == [name for name, _ in sample]


def test_test_ids_are_sorted_as_text_and_tag_order_varies(tmp_path, monkeypatch):
    monkeypatch.setattr(simulator, "render_chip", lambda *_: np.zeros((16, 16, 4), np.float32))
    simulate(tmp_path / "data", num_train=200, num_test=36, size=16)
    names = [name for name, _ in read_table(tmp_path / "data/sample_submission_v2.csv")[1:]]
    assert names[:4] == ["test_0", "test_1", "test_10", "test_11"]
    assert names[24:28] == ["file_0", "file_1", "file_10", "file_11"]
    tags = [tags.split() for _, tags in read_table(tmp_path / "data/train_v2.csv")[1:]]
    assert 0 < sum(row != sorted(row) for row in tags) < 60


def test_jpegs_are_cmyk_and_read_as_the_right_colours(data):
    with Image.open(data / "train-jpg/train_0.jpg") as image:
        assert (image.mode, image.size, image.format) == ("CMYK", (32, 32), "JPEG")
    chip = np.broadcast_to(np.float32((0.2, 0.5, 0.8, 0.1)), (32, 32, 4))
    read = np.asarray(Image.open(io.BytesIO(encode_jpeg(chip))).convert("RGB"))
    np.testing.assert_allclose(read.mean(axis=(0, 1)), (204, 127.5, 51), atol=2)


def test_jpegs_say_as_little_about_their_colours_as_the_real_ones(data):
    content = (data / "train-jpg/train_0.jpg").read_bytes()
    assert b"Adobe" not in content
    raw = imagecodecs.jpeg8_decode(content)
    np.testing.assert_array_equal(raw[..., 3], 255)
    np.testing.assert_array_equal(raw[..., :3], Image.open(io.BytesIO(content)).convert("RGB"))


def test_tiffs_are_uint16_on_the_real_scale(data):
    raw = tifffile.imread(data / "train-tif-v2/train_0.tif")
    assert (raw.dtype, raw.shape) == (np.uint16, (32, 32, 4))
    low, high = np.array([spec.load("planet").image_set("tif").range[band] for band in "BGRN"]).T
    assert (raw >= low).all()
    assert (raw <= high).all()


def test_the_mapping_mends_the_names_of_additional_tiffs(data):
    header, *rows = read_table(data / "test_v2_file_mapping.csv")
    assert header == ["old", "new"]
    assert sorted(old for old, _ in rows) == sorted(new for _, new in rows) == [f"file_{i}.tif" for i in range(4)]
    low, high = spec.load("planet").image_set("tif").range["R"]
    for old, new in rows:
        assert old != new
        raw = tifffile.imread(data / "test-tif-v2" / old)[..., 2].astype(float)
        with Image.open(data / "test-jpg-additional" / new.replace(".tif", ".jpg")) as image:
            red = np.asarray(image.convert("RGB"))[..., 0]
        np.testing.assert_allclose(red / 255, (raw - low) / (high - low), atol=0.12)


def test_the_same_seed_gives_the_same_bytes(data, tmp_path):
    simulate(tmp_path, num_train=14, num_test=12, size=32, seed=3, tif=True, rare_boost=5.0)
    assert files_in(tmp_path) == files_in(data)


def test_a_chip_does_not_depend_on_how_many_there_are(data, tmp_path):
    simulate(tmp_path, num_train=3, num_test=6, size=32, seed=3, rare_boost=5.0)
    many, few = files_in(data), files_in(tmp_path)
    chips = [name for name in few if name.endswith(".jpg")]
    assert len(chips) == 9
    assert all(few[name] == many[name] for name in chips)
    assert read_table(tmp_path / "train_v2.csv") == read_table(data / "train_v2.csv")[:4]


def test_another_seed_gives_other_chips(data, tmp_path):
    simulate(tmp_path, num_train=3, num_test=1, size=32, seed=4)
    assert (tmp_path / "train-jpg/train_0.jpg").read_bytes() != (data / "train-jpg/train_0.jpg").read_bytes()
    assert not (tmp_path / "train-tif-v2").exists()


def test_a_folder_in_use_is_left_alone(data):
    before = files_in(data)
    with pytest.raises(UserError, match=r"not empty\. Name a new folder"):
        simulate(data, num_train=1, num_test=1)
    assert files_in(data) == before


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("num_train", 0, "at least 1"), ("num_test", -1, "at least 1"), ("size", 15, "from 16 to 1024"),
        ("size", 1025, "from 16 to 1024"), ("seed", -1, "at least 0"), ("rare_boost", -0.5, "at least 0"),
        ("rare_boost", float("nan"), "at least 0"),
    ],
)  # fmt: skip
def test_arguments_out_of_range_are_named(tmp_path, name, value, expected):
    arguments = {"num_train": 1, "num_test": 1, name: value}
    with pytest.raises(UserError, match=rf"{name}={value}: it must be {expected}"):
        simulate(tmp_path / "data", **arguments)
    assert not (tmp_path / "data").exists()


def test_labels_can_be_learned_from_the_pictures():
    from sklearn.ensemble import ExtraTreesClassifier

    labels = draw_labels(700, np.random.default_rng(5))
    features = np.stack([_features(render_chip(row, 32, np.random.default_rng(i))) for i, row in enumerate(labels)])
    common = labels[:500].mean(axis=0) > 0.03
    model = ExtraTreesClassifier(60, min_samples_leaf=2, random_state=0).fit(features[:500], labels[:500][:, common])
    scores = np.stack([column[:, 1] for column in model.predict_proba(features[500:])], axis=1)
    truth = labels[500:][:, common]
    constant = np.broadcast_to(labels[:500][:, common].mean(axis=0) > 0.2, truth.shape)
    assert _mean_f2(truth, scores > 0.25) > _mean_f2(truth, constant) + 0.12


def _features(chip: np.ndarray) -> np.ndarray:
    pixels = chip.reshape(-1, 4)
    steps = np.abs(np.diff(chip, axis=0)).mean(axis=(0, 1))
    return np.concatenate((np.percentile(pixels, (1, 10, 50, 90, 99), axis=0).ravel(), pixels.std(axis=0), steps))


def _mean_f2(truth: np.ndarray, chosen: np.ndarray) -> float:
    hits = (truth & chosen).sum(axis=1)
    return float(np.mean(5 * hits / np.maximum(4 * truth.sum(axis=1) + chosen.sum(axis=1), 1)))
