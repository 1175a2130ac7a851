"""What the values of a recipe may be: one line names what is wrong, and flags that are enough to mend it."""

from __future__ import annotations

import dataclasses
import re

import click
import pytest

from competition.common.errors import UserError
from models.recipes.flags import recipe_flags
from models.recipes.named import resolve
from models.recipes.recipe import Recipe


def flags_in(line, last):
    """Return the values of the flags that a line advises, up to its last way out."""
    (flags,) = re.findall(rf"Give (--.*), or {last}\.$", line)
    named = {}

    @click.command()
    @recipe_flags
    def verb(overrides):
        named.update(overrides)

    verb(flags.split(), standalone_mode=False)
    return named


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"epochs": "many"}, r"epochs: .*integer.*\(received 'many'\)"),
        ({"batch_size": 2.5}, r"batch_size: .*integer"),
        ({"dense": "256"}, r"dense: expected a list"),
        ({"train": "tail"}, r"train: expected 'head', 'finetune' or 'full' \(received 'tail'\)"),
        ({"optimizer": "lion"}, r"optimizer: expected 'adam', 'adamw' or 'sgd'"),
        ({"epochs": 0}, r"epochs must be above 0, received 0\.$"),
        ({"learning_rate": float("nan")}, r"learning_rate must be a finite number, received nan\.$"),
        ({"learning_rate": -1.0}, r"learning_rate must be above 0, received -1\.0\.$"),
        ({"dropout": 1.0}, r"dropout must be in \[0, 1\), received 1\.0\.$"),
        ({"shift": -0.1}, r"shift must be in \[0, 1\), received -0\.1\.$"),
        ({"patience": -1}, r"patience cannot be below 0, received -1\.$"),
        ({"dense": (256, 0)}, r"dense needs whole numbers above 0, received \(256, 0\)\.$"),
        ({"progressive": (0,)}, r"progressive needs whole numbers above 0, received \(0,\)\.$"),
        ({"pooling": ()}, r"pooling must be avg, max, both of these, or flatten; received none\.$"),
        ({"pooling": ("avg", "flatten")}, r"pooling must be .*; received avg,flatten\.$"),
        ({"progressive": (32,)}, r"pooling flatten fits one input size only\. Give --pooling avg"),
        ({"progressive": (16, 32), "pooling": ("avg",), "epochs": 2}, r"3 input sizes need as many epochs, received 2"),
        (
            {"train": "head", "pooling": ("avg",), "progressive": (8,)},
            r"A frozen backbone sees one input size\. Give --progr",
        ),
        (
            {"train": "finetune", "pooling": ("avg",)},
            r"without weights has nothing to keep or tune: with --weights none, expected --train full",
        ),
        ({"backbone": "file", "train": "head"}, r"backbone file is a network in a file\. Give it by --weights"),
        ({"warmup": 20}, r"warm-up of 20 epochs leaves none of 20 at the peak .*--warmup below 20"),
        ({"unfrozen": 0.0}, r"unfrozen must be above 0 and at most 1, received 0\.0\.$"),
        ({"bands": "RGR"}, r"bands names a band twice: 'RGR'\.$"),
        ({"swa": 1}, r"swa averages two epochs or more, of the 20; received 1\. Give --swa 0 for the best epoch alone"),
        ({"swa": 21}, r"of the 20; received 21"),
        ({"swa": 11, "pooling": ("avg",), "progressive": (8,)}, r"of the 10 at the last input size; received 11"),
        ({"views": "d8"}, r"valid: Unknown set of views 'd8'\. Known: crops, d4, flips, identity, scales\.$"),
        ({"augment": ("d4", "blur")}, r"valid: Unknown augmentation 'blur'\. Known: d4, flips, none, photometric"),
    ],
)
def test_wrong_values_are_named_in_one_line(values, line):
    with pytest.raises(UserError, match=line) as caught:
        resolve("baseline", values)
    assert str(caught.value).startswith("recipe 'baseline' is not valid: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(Recipe) if field.type == "float"])
@pytest.mark.parametrize("value", ["inf", "-inf", "nan"])
def test_no_number_may_be_infinite_or_none_at_all(name, value):
    with pytest.raises(UserError, match=rf"valid: {name} must be a finite number, received {value}\.$"):
        resolve("resnet50", {name: float(value)})


@pytest.mark.parametrize(
    "spoilt",
    [
        {"dense": (8,)}, {"augment": ("shifts",)}, {"train": "finetune"}, {"mixup": 0.2}, {"groups": "softmax"},
        {"train": "full", "weights": "none"}, {"dense": (8,), "head_norm": "batch", "cutmix": 0.5},
        {"train": "finetune", "progressive": (64,), "loss": "soft_f_beta", "sampling": "balanced"},
        {"train": "head", "progressive": (64,)}, {"augment": ("d4", "photometric"), "label_smoothing": 0.1},
        {"monitor": "inner"}, {"swa": 2}, {"weighted_to": "test"},
    ],
)  # fmt: skip
def test_the_flags_that_a_solver_asks_for_are_named_together_and_are_enough(spoilt):
    linear = {"solver": "logistic", "dense": (), "augment": ("flips",)}
    with pytest.raises(UserError, match="solver logistic fits nothing but a plain linear head") as caught:
        resolve("resnet50", {**linear, **spoilt})
    named = flags_in(str(caught.value), "--solver gradient")
    assert resolve("resnet50", {**linear, **spoilt, **named}).on_bank
    assert named.keys() <= {*spoilt, "train", "weights"}  # nothing is asked for that was right already


def test_a_solver_takes_what_it_knows():
    assert resolve("resnet50", {"solver": "logistic", "dense": (), "augment": ("flips",)}).solver == "logistic"


@pytest.mark.parametrize(
    "spoilt",
    [
        {"dense": ()}, {"dense": (), "solver": "ridge"}, {"train": "full", "weights": "none"}, {"cutmix": 1.0},
        {"train": "finetune", "progressive": (64,)}, {"augment": ("d4", "photometric")},
    ],
)  # fmt: skip
def test_the_flags_that_members_need_are_named_together_and_are_enough(spoilt):
    with pytest.raises(UserError, match="8 members share the dense layers of a head that learns step") as caught:
        resolve("vgg16_levels", {"members": 8, **spoilt})
    named = flags_in(str(caught.value), "--members 1")
    assert named.keys() == spoilt.keys() or named.keys() < {*spoilt, "train", "weights"}
    assert resolve("vgg16_levels", {"members": 8, **spoilt, **named}).members == 8
    with pytest.raises(UserError, match=r"members must be above 0, received 0\.$"):
        resolve("vgg16_levels", {"members": 0})


@pytest.mark.parametrize(
    "spoilt",
    [
        {"train": "full"}, {"train": "finetune", "progressive": (64,)}, {"cutmix": 1.0}, {"augment": ("shifts",)},
    ],
)  # fmt: skip
def test_the_flags_that_a_joint_head_needs_are_named_together_and_are_enough(spoilt):
    joint = {"backbone": "vgg16_levels,densenet121_levels"}
    with pytest.raises(UserError, match="vgg16_levels and densenet121_levels stand side by side only where") as caught:
        resolve("vgg16_levels", {**joint, **spoilt})
    named = flags_in(str(caught.value), "one --backbone")
    assert named.keys() == spoilt.keys()
    assert resolve("vgg16_levels", {**joint, **spoilt, **named}).on_bank


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (
            {"solver": "ridge", "dense": (), "dropout": 0.0},
            "inner folds, whose chips the networks behind pseudo-labels",
        ),
        (
            {"monitor": "inner"},
            "judges epochs by chips to learn from, which the networks behind pseudo-labels have seen",
        ),
        ({"loss": "crossentropy_and_f_beta"}, "pseudo-labels are in between, and not all of a chip's count"),
        ({"pseudo_weight": 0.0}, "pseudo_weight must be above 0 and at most 1"),
        ({"pseudo_weight": 1.5}, "pseudo_weight must be above 0 and at most 1"),
    ],
)
def test_pseudo_labels_go_with_losses_that_add_up_and_heads_that_choose_nothing_on_inner_folds(values, said):
    with pytest.raises(UserError, match=said):
        resolve("resnet50", {"pseudo": "p", **values})
