"""The values of a recipe, one flag each, and what follows from them alone."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

from competition.common.text import band_names
from models.recipes.view_sets import drawn_views, views_of

FILE, TIMM = "file", "timm/"  # backbones that others made: a file's, and those that begin so
NONE = "none"  # the name that stands for no pseudo-labels, and no weights of chips
OWN = "own"  # mean or deviation: those of the training chips


def _value(help_text: str, default: Any) -> Any:
    return field(default=default, metadata={"help": help_text})


@dataclass(frozen=True)
class Part:
    """What the features of one part of a joint recipe depend on, besides the chips and their bands.

    Attributes:
        backbone: a network of keras.applications, or one that others made.
        weights: imagenet, or the path of a file.
        input_size: pixels along each side of what the backbone is given.
        levels: resolutions of the backbone that are pooled side by side.
        pooling: how they are pooled.
        indices: indices of the bands added as further bands.
        new_bands: what the filters of bands other than R, G and B start from.
        mean: of each band, that a network of others takes off.
        deviation: of each band, that it divides by.
        outputs: what is taken of it.
        prefix_tokens: its tokens before those of the patches.
    """

    backbone: str
    weights: str
    input_size: int
    levels: int
    pooling: tuple[Literal["avg", "max", "flatten"], ...]
    indices: tuple[Literal["ndvi", "ndwi"], ...]
    new_bands: Literal["mean", "zero"]
    mean: tuple[float, ...] | Literal["own"] = ()
    deviation: tuple[float, ...] | Literal["own"] = ()
    outputs: tuple[str, ...] = ()
    prefix_tokens: int | None = None


@dataclass(frozen=True)
class Values:
    """Everything that a training job's result depends on, besides the chips and the fold.

    Each field but `parts` is a flag of `fold` and `train`; its help is the flag's.
    """

    # The network.
    backbone: str = field(
        metadata={
            "help": "two_convolutions, residual, a network of keras.applications, timm/NAME, file (any network, by "
            "--weights), or recipes joined by commas, whose features stand side by side"
        }
    )
    weights: str = _value(
        "imagenet, none, or the path of a file: .weights.h5, of timm .safetensors, of file .onnx, .xml, .zip, .pt or "
        ".pt2; of several recipes one for each, joined by commas",
        "imagenet",
    )
    train: Literal["head", "finetune", "full"] = _value(
        "head: the backbone is frozen; finetune: the head first, then the backbone too; full: every layer at once",
        "head",
    )
    images: str = _value("rendering of the chips, by its name in the competition file; first: the first one", "first")
    bands: str = _value("bands given to the network: letters, such as RGBN, or names with commas: B04,B8A", "RGB")
    indices: tuple[Literal["ndvi", "ndwi"], ...] = _value("indices of the bands added as further bands", ())
    new_bands: Literal["mean", "zero"] = _value("pretrained filters of bands other than R, G and B start from", "mean")
    mean: tuple[float, ...] | Literal["own"] = _value(
        "timm, file: mean of each band, in 0 to 1, that the network takes off; own: that of the training chips", ()
    )
    deviation: tuple[float, ...] | Literal["own"] = _value(
        "timm, file: standard deviation of each band, in 0 to 1, that it divides by; own: that of the training chips",
        (),
    )
    outputs: tuple[str, ...] = _value(
        "timm, file: what of it is taken, side by side: map, vector, cls, patches, or such as NAME:cls of one output",
        (),
    )
    prefix_tokens: int | None = _value("file: tokens before those of the patches: class token and registers", None)
    input_size: int = _value("pixels along each side of what the backbone is given", 224)
    pooling: tuple[Literal["avg", "max", "flatten"], ...] = _value(
        "pooling of the last feature map, side by side", ("avg",)
    )
    levels: int = _value("resolutions of the backbone that are pooled side by side, from the last one", 1)
    head_norm: Literal["none", "batch"] = _value("batch: batch normalisation after the pooling", "none")
    dense: tuple[int, ...] = _value("units of the dense layers before the scores, such as 256,128", (256, 128))
    dropout: float = _value("share of units dropped before each dense layer, in [0, 1)", 0.25)
    input_dropout: float | None = _value("share of the backbone's features dropped; default: as dropout", None)
    members: int = _value("heads that share their kernels and whose scores are averaged (TabM); 1: a plain head", 1)
    groups: Literal["auto", "sigmoid", "softmax"] = _value(
        "scores of exclusive labels: one by one, or sharing 1; auto: the latter where a chip carries exactly one label",
        "auto",
    )
    solver: Literal["gradient", "ridge", "logistic"] = _value(
        "how a head is fitted: epoch by epoch, or at once, by least squares or as a logistic regression",
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
    swa: int = _value("best epochs whose weights are averaged, judged and kept; 0: the best one's", 0)
    head_epochs: int = _value("finetune: epochs of the head alone, before", 5)
    backbone_rate: float = _value("finetune: learning rate of the backbone, as a share of the head's", 0.1)
    unfrozen: float = _value("finetune: share of the backbone's layers that learn, from the last", 1.0)
    batch_norm: Literal["frozen", "learnt"] = _value("finetune: batch-norm layers of the backbone", "frozen")
    precision: Literal["auto", "float32", "mixed"] = _value(
        "auto: mixed (bfloat16) where a GPU has it; mixed: frozen features too, where the processor has it",
        "auto",
    )
    # The chips of a step.
    batch_size: int = _value("chips per step", 64)
    epochs: int = _value("passes over the training chips", 20)
    patience: int = _value("epochs without a better metric before training stops; 0: never stops", 5)
    monitor: Literal["heldout", "inner"] = _value(
        "chips by which epochs are judged: those held out, or a tenth of the others, set aside: then no choice knows "
        "those held out",
        "heldout",
    )
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
    pseudo: str = _value("pseudo-labels, or corrections, to learn from besides: the name that `pseudo` gave them", NONE)
    pseudo_weight: float = _value(
        "what a pseudo-label counts in the loss, where a label counts 1; above 0, at most 1", 1.0
    )
    weighted_to: Literal["none", "test"] = _value(
        "test: a labelled chip counts in the loss by how much it looks like those to predict, as `adversarial` found; "
        "the mean one counts 1",
        NONE,
    )
    views: str = _value(
        "test-time views: any of identity, flips, d4, scales, crops, joined by commas, each under each",
        "d4",
    )
    seeds: int = _value("networks from different seeds, whose scores are averaged; heads share order and views", 1)
    seed: int = _value("seed of weights, order and augmentation", 0)
    # What the names in `backbone` stood for when the model was begun, so that no later change of theirs reaches it.
    parts: tuple[Part, ...] = ()
    # Of the pseudo-labels, and of the chips' weights, when the model was begun: others are refused.
    pseudo_digest: str = ""
    weighted_digest: str = ""

    @property
    def feature_dropout(self) -> float:
        """The share of features that is dropped before the first layer of a head."""
        return self.dropout if self.input_dropout is None else self.input_dropout

    @property
    def band_names(self) -> tuple[str, ...]:
        """The bands one by one."""
        return band_names(self.bands)

    @property
    def of_graph(self) -> bool:
        """Whether the backbone, or one of several, is run as a graph that others made: a file's, or timm's, frozen."""
        backbones = [part.backbone for part in self.parts] or [self.backbone]
        return any(each == FILE or (each.startswith(TIMM) and self.train == "head") for each in backbones)

    @property
    def by_own_moments(self) -> bool:
        """Whether the network is given bands that are standardised by the training chips' own mean and deviation."""
        return OWN in (self.mean, self.deviation)

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
        return views_of(self.views)

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

    def to_dict(self) -> dict[str, Any]:
        """Return the values by name, as saved with a run."""
        return asdict(self)


FLAGS = tuple(each.name for each in fields(Values) if "help" in each.metadata)
DIGEST_OF = {"pseudo_digest": "pseudo", "weighted_digest": "weighted_to"}
NOTED = ("parts", *DIGEST_OF)  # values that no flag gives: they are noted when a model begins
