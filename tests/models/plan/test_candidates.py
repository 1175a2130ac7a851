"""Choosing the recipes to choose from."""

from __future__ import annotations

from pathlib import Path

import pytest

from competition.common.errors import UserError
from models.plan import candidates as module
from models.plan.candidates import Settings, candidates_of

KNOWN = ["DenseNet121", "MobileNetV2", "VGG16", "ResNet50", "InceptionV3", "EfficientNetV2B0", "ConvNeXtTiny"]


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setattr(module, "can_download", lambda: False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Weights of two backbones; those of MobileNetV2 are the smaller."""
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "densenet121_notop.weights.h5").write_bytes(b"many")
    (tmp_path / "weights" / "MobileNetV2.h5").write_bytes(b"few")
    return tmp_path / "weights"


def test_those_whose_weights_are_in_the_folder_are_taken_and_each_other_backbone_is_one_line(
    folder: Path, lines: list[str]
) -> None:
    found = candidates_of(Settings(weights=folder), KNOWN)
    assert [(each.source, each.label) for each in found] == [
        ("mobilenet_v2_levels", "mobilenetv2"),  # the smaller network first
        ("densenet121_levels", "densenet121"),
    ]
    assert found[1].recipe.weights == str(folder / "densenet121_notop.weights.h5")
    assert len(lines) == len([line for line in lines if " is left out: no weights of it in " in line]) == 5


def test_without_any_weights_networks_learn_from_scratch(offline: None, lines: list[str]) -> None:
    found = candidates_of(Settings(), KNOWN)
    assert {each.source for each in found} == {"baseline", "residual"}
    assert all(each.from_scratch for each in found)
    assert "DenseNet121 is left out: no weights of it in " in "\n".join(lines)
    assert "and no network to download them" in "\n".join(lines)
    assert lines[-1].startswith("No weights are at hand: networks learn from scratch")


def test_what_can_be_downloaded_is_taken(offline: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "can_download", lambda: True)
    found = candidates_of(Settings(models=("densenet121_levels",)), KNOWN)
    assert [each.recipe.weights for each in found] == ["imagenet"]


def test_two_recipes_of_one_backbone_are_told_apart_by_their_own_names(folder: Path) -> None:
    found = candidates_of(Settings(weights=folder, models=("densenet121", "densenet121_levels")), KNOWN)
    assert {each.label for each in found} == {"densenet121", "densenet121-levels"}


def test_a_recipe_of_ones_own_joins_in_with_its_own_weights(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "recipes.toml"
    own = folder / "densenet121_notop.weights.h5"
    path.write_text(f'[mine]\nbase = "densenet121_levels"\nweights = "{own}"\nbands = "RGBN"\n')
    found = candidates_of(Settings(recipes=path, models=("mine",), bands="NGB"), KNOWN)
    assert [(each.source, each.recipe.weights, each.recipe.bands) for each in found] == [("mine", str(own), "NGB")]


OF_OTHERS = """
[net]
base = "densenet121_levels"
backbone = "file"
weights = "{folder}/net.onnx"
mean = [0.5]
deviation = [0.5]
levels = 1
input_size = 96
[lost]
base = "net"
weights = "elsewhere/lost.onnx"
[other]
base = "convnext_tiny_in22k"
"""


@pytest.fixture
def own(folder: Path) -> Path:
    """A recipe file with networks of others."""
    (folder / "net.onnx").write_bytes(b"net")
    (folder / "recipes.toml").write_text(OF_OTHERS.format(folder=folder))
    return folder / "recipes.toml"


def test_networks_of_others_are_proposed_by_the_users_own_file(offline: None, own: Path, lines: list[str]) -> None:
    found = {each.source: each for each in candidates_of(Settings(recipes=own), KNOWN)}
    assert found.keys() == {"net", "other"}
    assert [(each.label, each.sizes((32, 64))) for each in found.values()] == [("net", (96,)), ("other", (224,))]
    assert "lost is left out: there is no elsewhere/lost.onnx." in lines
    assert not any("dinov3" in line for line in lines)


def test_weights_of_networks_of_others_may_lie_in_the_folder(own: Path, lines: list[str]) -> None:
    folder = own.parent
    (folder / "lost.onnx").write_bytes(b"lost")
    (folder / "convnext_tiny.fb_in22k.safetensors").write_bytes(b"safe")
    found = {each.source: each for each in candidates_of(Settings(weights=folder, recipes=own), KNOWN)}
    assert found.keys() >= {"net", "lost", "other", "densenet121_levels"}
    assert found["lost"].recipe.weights == str(folder / "lost.onnx")
    assert found["other"].recipe.weights == str(folder / "convnext_tiny.fb_in22k.safetensors")
    assert found["densenet121_levels"].sizes((32, 64)) == (32, 64)


def test_those_that_ship_are_taken_where_they_are_named(offline: None, folder: Path, lines: list[str]) -> None:
    names = ("dinov3_vits16", "ssl4eo_resnet50")
    found = candidates_of(Settings(models=names), KNOWN)
    assert [(each.source, each.label) for each in found] == [("dinov3_vits16", "dinov3-vits16")]
    assert lines == ["ssl4eo_resnet50 is left out: there is no resnet50_sentinel2_rgb_moco.safetensors."]
    with pytest.raises(UserError, match=r"holds no weights of timm/vit_small_patch16_dinov3.lvd1689m, timm/resnet50"):
        candidates_of(Settings(weights=folder, models=names), KNOWN)


@pytest.mark.parametrize(
    ("models", "line"),
    [
        (("unheard_of",), "Unknown recipe 'unheard_of'"),
        (("resnet50_tuned",), "'resnet50_tuned' is neither a single frozen backbone"),
        (("densenet121_vgg16_levels",), "'densenet121_vgg16_levels' is neither a single frozen backbone"),
        (("vgg16_levels",), "holds no weights of VGG16. Expected files named after them"),
    ],
)
def test_what_cannot_be_chosen_is_refused_in_one_line(folder: Path, models: tuple[str, ...], line: str) -> None:
    with pytest.raises(UserError, match=line.replace("(", r"\(")) as error:
        candidates_of(Settings(weights=folder, models=models), KNOWN)
    assert "\n" not in str(error.value)


def test_nothing_to_choose_from_says_what_to_give(offline: None) -> None:
    with pytest.raises(UserError, match=r"No weights for vgg16_levels, .*\. Give --weights"):
        candidates_of(Settings(models=("vgg16_levels",)), KNOWN)


def test_settings_mean_the_same_from_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    here = Settings(weights=Path("w"), models=("a", "b")).as_dict()
    assert here == Settings(weights=tmp_path / "w", models=("a", "b")).as_dict()
    assert here["models"] == ["a", "b"]


def test_features_are_made_in_bfloat16_unless_the_recipe_says_otherwise(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "recipes.toml"
    path.write_text('[exact]\nbase = "densenet121_levels"\nprecision = "float32"\n')
    found = candidates_of(Settings(folder, ("densenet121_levels", "exact"), path), KNOWN, mixed=True)
    assert {each.source: each.recipe.precision for each in found} == {"densenet121_levels": "mixed", "exact": "float32"}
