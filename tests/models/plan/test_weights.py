"""Finding weights files."""

from __future__ import annotations

import urllib.error
from email.message import Message
from pathlib import Path

import pytest

from competition.common.errors import UserError
from models.plan import weights
from models.plan.weights import can_download, downloaded, weights_in

KNOWN = ["DenseNet121", "MobileNet", "MobileNetV2", "ResNet50", "ResNet50V2", "EfficientNetV2B0", "InceptionV3"]


@pytest.mark.parametrize(
    ("file", "backbone"),
    [
        ("densenet121_notop.weights.h5", "DenseNet121"),
        ("DenseNet121.h5", "DenseNet121"),
        ("imagenet-DENSENET-121.weights.h5", "DenseNet121"),
        ("mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5", "MobileNetV2"),
        ("mobilenet_1_0_224_tf_no_top.h5", "MobileNet"),
        ("resnet50v2_weights_tf_dim_ordering_tf_kernels_notop.h5", "ResNet50V2"),
        ("efficientnetv2-b0_notop.h5", "EfficientNetV2B0"),
        ("inception_v3.hdf5", "InceptionV3"),
    ],
)
def test_a_file_is_known_by_the_backbone_in_its_name(file: str, backbone: str, tmp_path: Path) -> None:
    (tmp_path / file).touch()
    assert weights_in(tmp_path, KNOWN) == {backbone: tmp_path / file}


def test_what_is_no_weights_file_is_passed_over_and_one_without_top_comes_first(tmp_path: Path) -> None:
    for name in ("densenet121.txt", "own.h5", "a_densenet121.h5", "densenet121_notop.h5"):
        (tmp_path / name).touch()
    (tmp_path / "resnet50.h5").mkdir()
    assert weights_in(tmp_path, KNOWN) == {"DenseNet121": tmp_path / "densenet121_notop.h5"}


def test_a_folder_that_is_none_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"Cannot look for weights in .*none: No such file"):
        weights_in(tmp_path / "none", KNOWN)


def test_keras_own_downloads_are_found_without_their_top_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert downloaded(KNOWN) == {}
    (tmp_path / "models").mkdir()
    for name in ("densenet121_weights_tf_dim_ordering_tf_kernels.h5", "resnet50_weights_notop.h5"):
        (tmp_path / "models" / name).touch()
    assert downloaded(KNOWN) == {"ResNet50": tmp_path / "models" / "resnet50_weights_notop.h5"}


@pytest.mark.parametrize(
    ("raised", "expected"),
    [(None, True), (urllib.error.HTTPError("", 400, "", Message(), None), True), (urllib.error.URLError("no"), False)],
)
def test_a_network_is_known_by_an_answer(
    raised: Exception | None, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Answer:
        def __enter__(self) -> None: ...
        def __exit__(self, *_: object) -> None: ...

    def urlopen(request: object, timeout: float) -> Answer:
        assert timeout < 10
        if raised:
            raise raised
        return Answer()

    monkeypatch.setattr(weights.urllib.request, "urlopen", urlopen)
    can_download.cache_clear()
    assert can_download() is expected
    can_download.cache_clear()
