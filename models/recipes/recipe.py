"""Recipes: flat tables of values, each of which a flag overrides."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from competition.common.errors import UserError, unknown_name
from competition.common.files import digest_file, digest_json
from competition.common.text import counted
from models.recipes.view_sets import AUGMENTATIONS, VIEW_SETS, drawn_views

if TYPE_CHECKING:
    from competition.spec.competition import Competition
    from competition.task import Task

Columns = tuple[tuple[int, ...], ...]


def _value(help_text: str, default: Any) -> Any:
    return field(default=default, metadata={"help": help_text})


@dataclass(frozen=True)
class Recipe:
    """Everything that a training job's result depends on, besides the chips and the fold.

    Each field is a flag of `fold` and `train`; its help is the flag's.
    """

    # The network.
    backbone: str = field(metadata={"help": "two_convolutions, residual, or a network of keras.applications"})
    weights: str = _value("imagenet, none, or the path of a .weights.h5 file", "imagenet")
    train: Literal["head", "finetune", "full"] = _value(
        "head: the backbone is frozen; finetune: the head first, then the backbone too; full: every layer at once",
        "head",
    )
    images: str = _value("rendering of the chips, by its name in the competition file; first: the first one", "first")
    bands: str = _value("bands given to the network: letters, such as RGBN, or names with commas: B04,B8A", "RGB")
    indices: tuple[Literal["ndvi", "ndwi"], ...] = _value("indices of the bands added as further bands", ())
    new_bands: Literal["mean", "zero"] = _value("pretrained filters of bands other than R, G and B start from", "mean")
    input_size: int = _value("pixels along each side of what the backbone is given", 224)
    pooling: tuple[Literal["avg", "max", "flatten"], ...] = _value(
        "pooling of the last feature map, side by side", ("avg",)
    )
    levels: int = _value("resolutions of the backbone that are pooled side by side, from the last one", 1)
    head_norm: Literal["none", "batch"] = _value("batch: batch normalisation after the pooling", "none")
    dense: tuple[int, ...] = _value("units of the dense layers before the scores, such as 256,128", (256, 128))
    dropout: float = _value("share of units dropped before each dense layer, in [0, 1)", 0.25)
    groups: Literal["auto", "sigmoid", "softmax"] = _value(
        "scores of exclusive labels: one by one, or sharing 1; auto: the latter where a chip carries exactly one label",
        "auto",
    )
    solver: Literal["gradient", "ridge", "logistic"] = _value(
        "how a head is fitted: epoch by epoch, or at once: least squares, or scikit-learn's logistic regression",
        "gradient",
    )
    # The loss.
    loss: Literal["binary_crossentropy", "focal", "asymmetric", "soft_f_beta", "crossentropy_and_f_beta"] = _value(
        "the loss", "binary_crossentropy"
    )
    gamma: float = _value("how far focal and asymmetric losses pass over what is easy", 2.0)
    label_smoothing: float = _value("share of each target moved towards a half, in [0, 1)", 0.0)
    class_weights: Literal["none", "balanced"] = _value("balanced: rare labels' positives count for more", "none")
    # The steps.
    optimizer: Literal["adam", "adamw", "sgd"] = _value("the optimiser", "adam")
    learning_rate: float = _value("peak learning rate", 1e-3)
    schedule: Literal["constant", "cosine"] = _value("learning rate over the epochs", "constant")
    warmup: float = _value("epochs over which the learning rate rises to its peak", 0.0)
    weight_decay: float = _value("decay of the kernels per step, as a share of the learning rate", 0.0)
    clip: float = _value("largest norm of all gradients together; 0: any", 0.0)
    ema: float = _value("momentum of the moving average of weights that is judged and kept; 0: none", 0.0)
    head_epochs: int = _value("finetune: epochs of the head alone, before", 5)
    backbone_rate: float = _value("finetune: learning rate of the backbone, as a share of the head's", 0.1)
    unfrozen: float = _value("finetune: share of the backbone's layers that learn, from the last", 1.0)
    batch_norm: Literal["frozen", "learnt"] = _value("finetune: batch-norm layers of the backbone", "frozen")
    precision: Literal["auto", "float32", "mixed"] = _value("auto: mixed (bfloat16) where a GPU has it", "auto")
    # The chips of a step.
    batch_size: int = _value("chips per step", 64)
    epochs: int = _value("passes over the training chips", 20)
    patience: int = _value("epochs without a better held-out metric before training stops; 0: never stops", 5)
    progressive: tuple[int, ...] = _value("input sizes of the first epochs, such as 128; all get equal shares", ())
    augment: tuple[str, ...] = _value(
        "any of d4, flips, quarter_turns, shifts, photometric, joined by commas, or none", ("d4",)
    )
    shift: float = _value("largest shift as a share of the input size, where augment has shifts", 0.1)
    jitter: float = _value("largest change of brightness and contrast, where augment has photometric", 0.2)
    mixup: float = _value("alpha of mixup: pairs of chips are blended; 0: none", 0.0)
    cutmix: float = _value("alpha of cutmix: a rectangle comes from another chip; 0: none", 0.0)
    only_labels: tuple[str, ...] = _value("labels to learn and score, for a specialist; none: all", ())
    sampling: Literal["uniform", "balanced"] = _value(
        "balanced: half of each batch carries one of the rarer half of labels", "uniform"
    )
    views: str = _value("test-time views: identity, flips or d4", "d4")
    seeds: int = _value("networks trained one after another from different seeds, whose scores are averaged", 1)
    seed: int = _value("seed of weights, order and augmentation", 0)

    def __post_init__(self) -> None:
        for name, value in self.to_dict().items():
            if isinstance(value, float) and not math.isfinite(value):
                raise UserError(f"{name} must be a finite number, received {value}.")
        positive = ("input_size", "levels", "learning_rate", "batch_size", "epochs", "seeds")
        for name in (name for name in positive if not getattr(self, name) > 0):
            raise UserError(f"{name} must be above 0, received {getattr(self, name)}.")
        for name in ("dropout", "shift", "jitter", "label_smoothing", "ema"):
            if not 0 <= getattr(self, name) < 1:
                raise UserError(f"{name} must be in [0, 1), received {getattr(self, name)}.")
        for name in ("backbone_rate", "unfrozen"):
            if not 0 < getattr(self, name) <= 1:
                raise UserError(f"{name} must be above 0 and at most 1, received {getattr(self, name)}.")
        not_negative = ("gamma", "warmup", "weight_decay", "clip", "head_epochs", "mixup", "cutmix", "patience", "seed")
        for name in (name for name in not_negative if not getattr(self, name) >= 0):
            raise UserError(f"{name} cannot be below 0, received {getattr(self, name)}.")
        if len(set(self.band_names)) < len(self.band_names):
            raise UserError(f"bands names a band twice: {self.bands!r}.")
        if self.seed >= 2**32:
            raise UserError(f"seed must be below {2**32}, received {self.seed}.")
        for name in ("dense", "progressive"):
            if any(number < 1 for number in getattr(self, name)):
                raise UserError(f"{name} needs whole numbers above 0, received {getattr(self, name)}.")
        if self.views not in VIEW_SETS:
            raise unknown_name("set of views", self.views, list(VIEW_SETS))
        for name in (name for name in self.augment if name not in AUGMENTATIONS):
            raise unknown_name("augmentation", name, [*AUGMENTATIONS, "none"])
        self._check_together()

    def _check_together(self) -> None:
        """Refuse values that do not go with each other."""
        if not self.pooling or ("flatten" in self.pooling and len(self.pooling) > 1):
            raise UserError(
                f"pooling must be avg, max, both of these, or flatten; received {','.join(self.pooling) or 'none'}."
            )
        if self.progressive and "flatten" in self.pooling:
            raise UserError("pooling flatten fits one input size only. Give --pooling avg, or --progressive none.")
        if self.solver != "gradient":
            self._check_solver()
        if self.progressive and self.train == "head":
            raise UserError("A frozen backbone sees one input size. Give --progressive none, or --train finetune.")
        if self.weights == "none" and self.train != "full":
            raise UserError("A backbone without weights has nothing to keep or tune. Give --weights, or --train full.")
        if self.warmup >= self.epochs and self.warmup > 0:
            raise UserError(
                f"A warm-up of {self.warmup:g} epochs leaves none of {self.epochs} at the peak learning rate. "
                f"Give --warmup below {self.epochs}, or more --epochs."
            )
        if self.loss == "soft_f_beta":
            self._check_soft_f_beta()
        if self.epochs <= len(self.progressive):
            raise UserError(f"{len(self.progressive) + 1} input sizes need as many epochs, received {self.epochs}.")

    def _check_soft_f_beta(self) -> None:
        for name, neutral in (("label_smoothing", 0.0), ("class_weights", "none")):
            if (value := getattr(self, name)) != neutral:
                flag = name.replace("_", "-")
                raise UserError(
                    f"The loss soft_f_beta counts labels and knows no --{flag}: expected {neutral}, received {value}. "
                    f"Give --{flag} {neutral}, or --loss crossentropy_and_f_beta, whose cross-entropy takes it."
                )

    def _check_solver(self) -> None:
        from competition.common.command_line import as_flags

        linear: dict[str, Any] = {"train": "head", "dense": (), "head_norm": "none", "progressive": ()}
        plain = {"loss": "binary_crossentropy", "class_weights": "none", "sampling": "uniform"}
        plain["groups"] = "auto" if self.groups == "auto" else "sigmoid"
        unmixed = {"label_smoothing": 0.0, "mixup": 0.0, "cutmix": 0.0}
        wanted = {name: value for name, value in (linear | plain | unmixed).items() if getattr(self, name) != value}
        if not self.augments_by_views:
            wanted["augment"] = ("d4",)
        if self.weights == "none":
            wanted["weights"] = "imagenet"
        if wanted:
            raise UserError(
                f"solver {self.solver} fits nothing but a plain linear head to the features of a frozen backbone. "
                f"Give{as_flags(wanted)}, or --solver gradient."
            )

    @property
    def band_names(self) -> tuple[str, ...]:
        """The bands one by one: with a comma anywhere they are names, otherwise letters."""
        return tuple(filter(None, map(str.strip, self.bands.split(",") if "," in self.bands else self.bands)))

    @property
    def on_bank(self) -> bool:
        """Whether the network learns from features made once: the backbone is frozen, no pixel changes its value."""
        return self.train == "head" and self.augments_by_views and not self.cutmix

    @property
    def augments_by_views(self) -> bool:
        """Whether augmentation only moves pixels, into views that each have features of their own."""
        return set(self.augment) <= {"d4", "flips", "quarter_turns"}

    @property
    def test_views(self) -> tuple[str, ...]:
        """The views over which scores are averaged at test time."""
        return VIEW_SETS[self.views]

    @property
    def drawn_views(self) -> tuple[str, ...]:
        """The views among which augmentation draws, each as often as the others."""
        return drawn_views(self.augment)

    @property
    def stages(self) -> list[tuple[int, int]]:
        """The input sizes one after another, each with the number of epochs after which it ends."""
        sizes = [*self.progressive, self.input_size]
        return [(size, round(self.epochs * number / len(sizes))) for number, size in enumerate(sizes, 1)]

    def stage_after(self, epochs: int) -> tuple[int, int]:
        """Return the input size that follows a number of finished epochs, and after how many epochs it ends."""
        return next((stage for stage in self.stages if epochs < stage[1]), self.stages[-1])

    def summary(self) -> str:
        """Return what is trained and for how long, in one line."""
        kinds = {"head": "frozen", "finetune": "fine-tuned", "full": "pretrained"}
        weights = "from scratch" if self.weights == "none" else kinds[self.train]
        bands, sizes = " + ".join([self.bands, *self.indices]), ", ".join(str(size) for size, _ in self.stages)
        how = f"at most {counted(self.epochs, 'epoch')}" if self.solver == "gradient" else f"solved by {self.solver}"
        return f"{self.backbone} {weights}, {bands} at {sizes} px, {how}."

    def settled(self, competition: Competition) -> Recipe:
        """Return the recipe with what it leaves to the competition: the rendering, and whether labels share a softmax.

        Solvers fit each label on its own, and specialists do not score all that would share a softmax.
        """
        images = competition.default_images if self.images == "first" else self.images
        is_whole = not self.only_labels or set(self.only_labels) >= set(competition.labels)
        shares = competition.is_multi_class and is_whole and self.solver == "gradient"
        groups = ("softmax" if shares else "sigmoid") if self.groups == "auto" else self.groups
        return dataclasses.replace(self, images=images, groups=groups)

    def task(self, competition: Competition) -> Task:
        """Return what the recipe's networks score: all labels, or those of a specialist.

        Raises:
            UserError: if the recipe names a label that the competition does not have, asks for a softmax over
                exclusive labels of which no group is scored, or for a loss that follows F-beta where that judges
                nothing.
        """
        from competition.task import Task

        for name in (name for name in self.only_labels if name not in competition.labels):
            raise unknown_name("label of --only-labels", name, list(competition.labels))
        chosen = self.only_labels or competition.labels
        task = Task(competition, tuple(label for label in competition.labels if label in chosen))
        if self.groups == "softmax" and not task.exclusive_columns:
            groups = "; or ".join(", ".join(group) for group in competition.exclusive)
            raise UserError(
                "A softmax over exclusive labels needs every label of a group: expected "
                f"{groups or 'a competition with exclusive groups'}; received {', '.join(task.labels)}. "
                "Give --groups sigmoid."
            )
        if "f_beta" in self.loss and task.metric.name != "f_beta":
            raise UserError(
                f"The loss {self.loss} follows F-beta, but {competition.title} is judged by {task.metric.title}. "
                "Give --loss binary_crossentropy."
            )
        return task

    def to_dict(self) -> dict[str, Any]:
        """Return the values by name, as saved with a run."""
        return dataclasses.asdict(self)

    def digest(self) -> str:
        """Return the SHA-256 of every value; a weights file counts by its content, not by its path.

        Raises:
            UserError: if the weights file cannot be read.
        """
        values = self.to_dict()
        if self.weights not in ("imagenet", "none"):
            values["weights"] = digest_file(self.weights_path())
        return digest_json(values)

    def weights_path(self) -> Path:
        """Return the path of the weights file.

        Raises:
            UserError: if there is no such file.
        """
        path = Path(self.weights).expanduser()
        if not path.is_file():
            raise UserError(f"No weights file {path}. Give --weights imagenet, --weights none, or a path that exists.")
        return path


def softmax_groups(recipe: Recipe, task: Task) -> Columns:
    """Return the columns of each group of labels that share a softmax.

    A group of which not every label is scored has none: "another one" would need a score of its own.

    Args:
        recipe: `groups` says whether there are any.
        task: the labels that are scored, and the competition's exclusive groups.
    """
    return task.exclusive_columns if recipe.groups == "softmax" else ()
