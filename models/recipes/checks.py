"""What the values of a recipe may be, each by itself and together; every line names the flag that mends it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from competition.common.errors import UserError, unknown_name
from models.recipes.values import NONE, Values
from models.recipes.view_sets import AUGMENTATIONS, views_of

# Beyond any use, and what no memory holds; a recipe may be a stranger's.
MOST = {
    **dict.fromkeys(("input_size", "progressive"), 8192),
    **dict.fromkeys(("members", "seeds", "levels"), 1000),
    "swa": 100,
    **dict.fromkeys(("dense", "batch_size"), 2**20),
    **dict.fromkeys(("epochs", "head_epochs", "patience"), 10**6),
}
NOT_NEGATIVE = (
    *("gamma", "warmup", "weight_decay", "clip", "head_epochs"),
    *("mixup", "cutmix", "patience", "seed", "swa"),
)


def check_each(values: Values) -> None:
    """Refuse a value that is none whatever the others are.

    Raises:
        UserError: with its name and what it may be.
    """
    for name, value in vars(values).items():
        if isinstance(value, float) and not math.isfinite(value):
            raise UserError(f"{name} must be a finite number, received {value}.")
    positive = ("input_size", "levels", "members", "learning_rate", "batch_size", "epochs", "seeds")
    for name in (name for name in positive if not getattr(values, name) > 0):
        raise UserError(f"{name} must be above 0, received {getattr(values, name)}.")
    for name in ("dropout", "shift", "jitter", "label_smoothing", "ema"):
        if not 0 <= getattr(values, name) < 1:
            raise UserError(f"{name} must be in [0, 1), received {getattr(values, name)}.")
    if not 0 <= values.feature_dropout < 1:
        raise UserError(f"input_dropout must be in [0, 1), received {values.input_dropout}.")
    for name in ("backbone_rate", "unfrozen", "pseudo_weight"):
        if not 0 < getattr(values, name) <= 1:
            raise UserError(f"{name} must be above 0 and at most 1, received {getattr(values, name)}.")
    for name in (name for name in NOT_NEGATIVE if not getattr(values, name) >= 0):
        raise UserError(f"{name} cannot be below 0, received {getattr(values, name)}.")
    for name, most in MOST.items():
        received = getattr(values, name)
        if max(received if isinstance(received, tuple) else (received,), default=0) > most:
            raise UserError(f"{name} must be {most:,} at most, received {received}.")
    if len(set(values.band_names)) < len(values.band_names):
        raise UserError(f"bands names a band twice: {values.bands!r}.")
    if values.seed >= 2**32:
        raise UserError(f"seed must be below {2**32}, received {values.seed}.")
    for name in ("dense", "progressive"):
        if any(number < 1 for number in getattr(values, name)):
            raise UserError(f"{name} needs whole numbers above 0, received {getattr(values, name)}.")
    views_of(values.views)
    for name in (name for name in values.augment if name not in AUGMENTATIONS):
        raise unknown_name("augmentation", name, [*AUGMENTATIONS, "none"])


def check_together(values: Values) -> None:
    """Refuse values that do not go with each other.

    Raises:
        UserError: with the flags that mend it.
    """
    if not values.pooling or ("flatten" in values.pooling and len(values.pooling) > 1):
        received = ",".join(values.pooling) or "none"
        raise UserError(f"pooling must be avg, max, both of these, or flatten; received {received}.")
    if values.progressive and "flatten" in values.pooling:
        raise UserError("pooling flatten fits one input size only. Give --pooling avg, or --progressive none.")
    if values.members > 1:
        _check_members(values)
    if values.solver != "gradient":
        _check_solver(values)
    if values.progressive and values.train == "head":
        raise UserError("A frozen backbone sees one input size. Give --progressive none, or --train finetune.")
    if values.weights == "none" and values.backbone == "file":
        raise UserError("backbone file is a network in a file. Give it by --weights, such as NET.onnx.")
    if values.weights == "none" and values.train != "full":
        raise UserError(
            "A backbone without weights has nothing to keep or tune: with --weights none, expected --train full, "
            f"received --train {values.train}. Give --weights imagenet or a file, or --train full."
        )
    if values.warmup >= values.epochs and values.warmup > 0:
        raise UserError(
            f"A warm-up of {values.warmup:g} epochs leaves none of {values.epochs} at the peak learning rate. "
            f"Give --warmup below {values.epochs}, or more --epochs."
        )
    if values.loss == "soft_f_beta":
        _check_soft_f_beta(values)
    if values.pseudo != NONE:
        _check_pseudo(values)
    if values.swa:
        _check_swa(values)
    if values.epochs <= len(values.progressive):
        raise UserError(f"{len(values.progressive) + 1} input sizes need as many epochs, received {values.epochs}.")


def check_joint(values: Values, parts: Sequence[Values]) -> None:
    """Refuse parts of a joint recipe that are no two different ones, or that do not learn from features made once.

    Args:
        values: the joint recipe.
        parts: a recipe for each of its parts.

    Raises:
        UserError: with the flags that mend it.
    """
    names = values.backbone.split(",")
    if len(parts) < 2 or len(parts) != len(names):
        raise UserError(f"A joint backbone is two recipes or more, joined by commas; received {values.backbone!r}.")
    if wanted := _to_bank(values):
        from competition.terminal.command_line import as_flags  # only where there is a command line

        raise UserError(
            f"The features of {' and '.join(names)} stand side by side only where frozen backbones make them once. "
            f"Give{as_flags(wanted)}, or one --backbone."
        )
    for number, part in enumerate(parts):
        if part in parts[:number]:
            first = names[parts.index(part)]
            raise UserError(f"backbone has the same features twice, by {first} and {names[number]}: leave one out.")


def _to_bank(values: Values) -> dict[str, Any]:
    """Return the values that a recipe lacks to learn from features made once."""
    wanted: dict[str, Any] = {"train": "head", "progressive": (), "cutmix": 0.0}
    wanted = {name: value for name, value in wanted.items() if getattr(values, name) != value}
    return wanted if values.augments_by_views else {**wanted, "augment": ("d4",)}


def _check_pseudo(values: Values) -> None:
    if values.solver != "gradient":
        raise UserError(
            f"--solver {values.solver} chooses its penalties on inner folds, whose chips the networks behind "
            "pseudo-labels have seen. Give --solver gradient, or --pseudo none."
        )
    if values.monitor != "heldout":
        raise UserError(
            "--monitor inner judges epochs by chips to learn from, which the networks behind pseudo-labels have seen. "
            "Give --monitor heldout, or --pseudo none."
        )
    if "f_beta" in values.loss:
        raise UserError(
            f"The loss {values.loss} is of all labels of a chip together, each carried or not; pseudo-labels are in "
            "between, and not all of a chip's count. Give --loss binary_crossentropy, or --pseudo none."
        )


def _check_members(values: Values) -> None:
    wanted = _to_bank(values)
    if not values.dense:
        wanted["dense"] = (512,)
    if values.solver != "gradient":
        wanted["solver"] = "gradient"
    if values.weights == "none":
        wanted["weights"] = "imagenet"
    if wanted:
        from competition.terminal.command_line import as_flags  # only where there is a command line

        raise UserError(
            f"{values.members} members share the dense layers of a head that learns step by step from features made "
            f"once. Give{as_flags(wanted)}, or --members 1."
        )


def _check_swa(values: Values) -> None:
    *before, last = (0, *(end for _, end in values.stages))
    if not 2 <= values.swa <= last - before[-1]:
        at_size = " at the last input size" if values.progressive else ""
        raise UserError(
            f"swa averages two epochs or more, of the {last - before[-1]}{at_size}; received {values.swa}. Give "
            "--swa 0 for the best epoch alone, or more --epochs."
        )


def _check_soft_f_beta(values: Values) -> None:
    for name, neutral in (("label_smoothing", 0.0), ("class_weights", "none")):
        if (value := getattr(values, name)) != neutral:
            flag = name.replace("_", "-")
            raise UserError(
                f"The loss soft_f_beta counts labels and knows no --{flag}: expected {neutral}, received {value}. "
                f"Give --{flag} {neutral}, or --loss crossentropy_and_f_beta, whose cross-entropy takes it."
            )


def _check_solver(values: Values) -> None:
    linear: dict[str, Any] = {"train": "head", "dense": (), "head_norm": "none", "progressive": ()}
    plain = {"loss": "binary_crossentropy", "class_weights": "none", "sampling": "uniform"}
    plain["groups"] = "auto" if values.groups == "auto" else "sigmoid"
    unmixed = {"label_smoothing": 0.0, "mixup": 0.0, "cutmix": 0.0}
    at_once = {"monitor": "heldout", "swa": 0}  # there are no epochs to choose among
    every = linear | plain | unmixed | at_once | {"weighted_to": NONE}
    wanted = {name: value for name, value in every.items() if getattr(values, name) != value}
    if not values.augments_by_views:
        wanted["augment"] = ("d4",)
    if values.weights == "none":
        wanted["weights"] = "imagenet"
    if wanted:
        from competition.terminal.command_line import as_flags  # only where there is a command line

        raise UserError(
            f"solver {values.solver} fits nothing but a plain linear head to the features of a frozen backbone. "
            f"Give{as_flags(wanted)}, or --solver gradient."
        )
