"""A network of timm that cannot be had, or cannot learn here, is refused in one line that says what mends it."""

from __future__ import annotations

import importlib.util
import sys
from types import SimpleNamespace

import pytest

from competition.common.errors import UserError
from models.foreign.modules import moments_of, require_timm
from models.networks.backbones import check_backbone
from tests.models.foreign.samples import learning

NAMES = ["resnet18", "resnet50", "vit_small_patch16_224"]


@pytest.fixture
def stub(monkeypatch) -> None:
    """A timm of three networks, and a torch, whether they are installed or not."""
    tags = [f"{name}.{tag}" for name in NAMES for tag in ("a1_in1k", "b_in22k")]
    timm = SimpleNamespace(
        __version__="1.0",
        is_model=NAMES.__contains__,
        list_models=lambda like="": NAMES,
        list_pretrained=lambda like: [tag for tag in tags if tag.startswith(like.removesuffix("*"))],
        models=SimpleNamespace(
            get_pretrained_cfg=lambda name: SimpleNamespace(fixed_input_size=name.startswith("vit"))
        ),
    )
    monkeypatch.setitem(sys.modules, "timm", timm)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())


@pytest.mark.parametrize(
    ("backbone", "line"),
    [
        (
            "timm/resnet49",
            r"timm 1.0 knows no network 'resnet49'. Alike: resnet50, .*timm.list_models\(\) has them",
        ),
        ("timm/resnet18.c", r"knows no weights 'c' of resnet18. Known: timm/resnet18.a1_in1k, timm/resnet18.b_in22k"),
    ],
)
def test_what_timm_does_not_know_is_named_with_what_it_does(stub, backbone, line):
    with pytest.raises(UserError, match=line):
        require_timm(backbone)
    require_timm("timm/resnet18")
    require_timm("timm/resnet18.a1_in1k")


def test_what_is_not_installed_is_named_with_the_command(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in ("torch", "timm") else object())
    with pytest.raises(UserError, match=r"timm/resnet18 needs torch and timm. Run 'pip install -e \".\[timm\]\"'"):
        require_timm("timm/resnet18")


def test_another_backend_than_torch_is_refused_where_it_learns(stub, monkeypatch):
    recipe = learning("resnet18", "imagenet")
    monkeypatch.setattr("models.foreign.modules.backend_name", lambda: "jax")
    with pytest.raises(UserError, match=r"backend torch alone: received jax. Set KERAS_BACKEND=torch for this command"):
        check_backbone(recipe)
    monkeypatch.setattr("models.foreign.modules.backend_name", lambda: "torch")
    check_backbone(recipe)


def test_several_sizes_are_refused_where_weights_are_for_one(stub, monkeypatch):
    monkeypatch.setattr("models.foreign.modules.backend_name", lambda: "torch")
    check_backbone(learning("resnet18", "imagenet", progressive=(16,)))
    check_backbone(learning("vit_small_patch16_224", "imagenet"))
    with pytest.raises(UserError, match=r"are for chips of one size. Give --progressive none"):
        check_backbone(learning("vit_small_patch16_224", "imagenet", progressive=(16,)))


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"weights": "net.weights.h5"}, r"net.weights.h5 is no .safetensors file, and others may run code"),
        ({"levels": 2}, r"is run as a whole, and takes its bands alone. Give --levels 1"),
        ({"indices": ("ndvi",), "images": "tif", "bands": "RGBN"}, r"Give --indices none"),
        ({"pooling": ("flatten",)}, r"Give --pooling avg"),
    ],
)
def test_a_recipe_that_does_not_fit_a_network_that_learns_is_refused(values, line):
    with pytest.raises(UserError, match=line):
        learning("resnet18", **{"weights": "imagenet", **values})
    learning("resnet18", "imagenet", cutmix=1.0, augment=("photometric",))  # which frozen ones do not take


def test_bands_are_standardised_as_the_network_was_trained_unless_the_recipe_says_otherwise():
    module = SimpleNamespace(pretrained_cfg={"mean": (0.1, 0.2, 0.6), "std": (1, 2, 3)})
    recipe = learning("resnet18", "imagenet")
    assert moments_of(module, recipe, "RGB") == ((0.1, 0.2, 0.6), (1.0, 2.0, 3.0))
    assert moments_of(module, recipe, "BNR") == (pytest.approx((0.6, 0.3, 0.1)), (3.0, 2.0, 1.0))
    own = learning("resnet18", "imagenet", mean=(0.4,), deviation=(0.2, 0.3, 0.4))
    assert moments_of(module, own, "RGB") == ((0.4, 0.4, 0.4), (0.2, 0.3, 0.4))
