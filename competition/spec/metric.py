"""The metric that ranks a competition."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from competition.spec.base import Frozen

DECISIONS, SCORES = "decisions", "scores"
Average = Literal["samples", "macro", "micro"]

# Of each metric the averages that it has, the usual one first.
AVERAGES: dict[str, tuple[Average, ...]] = {
    "f_beta": ("samples", "macro", "micro"),
    "accuracy": ("micro", "samples"),
    "exact_match": ("samples",),
    "roc_auc": ("macro",),
    "average_precision": ("macro", "micro", "samples"),
    "label_ranking": ("samples", "micro"),
    "log_loss": ("macro", "samples"),
}
OF_DECISIONS = ("f_beta", "accuracy", "exact_match")
LARGEST_LOSS = 746.0  # more than the negative logarithm of any number there is
BY_LABEL = "macro"  # the average in which labels can have weights


class Metric(Frozen):
    """What ranks the submissions of a competition.

    `f_beta`, `accuracy` and `exact_match` judge decided labels; `roc_auc`, `average_precision`, `label_ranking` and
    `log_loss` judge scores, and nothing is decided.

    Attributes:
        name: which metric.
        average: what it is the mean over, in scikit-learn's words: "samples" (chips), "macro" (labels), or "micro" (all
            cells pooled); by default the usual one. Of `accuracy`, "samples" is the share of the chips all of
            whose labels are right, and "micro" the share of the labels. Of `label_ranking`, "samples" is LRAP and
            "micro" lwlrap, in which every label that a chip carries counts the same. Of `log_loss`, "macro" is the mean
            over columns, and "samples" that of a multi-class competition: of the one label that each chip carries,
            scores of a chip being shares of their sum.
        beta: of F-beta, the weight of recall; above 1 it counts more than precision.
        empty: of F-beta, the value of a row (or label) that carries nothing and of which nothing was decided.
        weights: by label, of a mean over labels; labels that are not named weigh 1.
        clip: of log loss, how near to 0 and 1 a score may come.
    """

    name: Literal["f_beta", "accuracy", "exact_match", "roc_auc", "average_precision", "label_ranking", "log_loss"] = (
        "f_beta"
    )
    average: Average = "samples"
    beta: float = Field(default=1.0, gt=0, le=100)
    empty: Literal[0, 1] = 0
    weights: dict[str, float] = Field(default={})
    clip: float = Field(default=1e-15, gt=0, lt=0.5)

    @model_validator(mode="before")
    @classmethod
    def _usual_average(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        usual = AVERAGES.get(str(values.get("name", "f_beta")), AVERAGES["f_beta"])[0]
        return {"average": usual, **values}

    @model_validator(mode="after")
    def _check(self) -> Metric:
        if self.average not in AVERAGES[self.name]:
            known = ", ".join(AVERAGES[self.name])
            raise ValueError(f"{self.name} has no average {self.average!r}; known: {known}")
        # What is given as it would be anyway is no contradiction: records of a competition say everything.
        usual = {name: field.default for name, field in type(self).model_fields.items()}
        given = {name for name in self.model_fields_set if getattr(self, name) != usual[name]}
        if self.name != "f_beta" and (strange := sorted(given & {"beta", "empty"})):
            raise ValueError(f"{self.name} knows no {' and no '.join(strange)}")
        if self.name != "log_loss" and "clip" in given:
            raise ValueError(f"{self.name} knows no clip")
        if self.weights and self.average != BY_LABEL:
            raise ValueError(f"weights of labels need a mean over labels, and {self.name} is a {self.average} mean")
        if any(not 0 <= weight < float("inf") for weight in self.weights.values()):
            raise ValueError("weights must be 0 or more")
        if self.weights and not any(self.weights.values()):
            raise ValueError("one weight at least must be more than 0")
        return self

    @property
    def judges(self) -> str:
        """What it judges: "decisions" or "scores"."""
        return DECISIONS if self.name in OF_DECISIONS else SCORES

    @property
    def sign(self) -> int:
        """1 if more is better, -1 if less is: times this, more is always better."""
        return -1 if self.name == "log_loss" else 1

    def can_be(self, score: float) -> bool:
        """Whether the metric can have a value."""
        return 0 <= score <= (LARGEST_LOSS if self.name == "log_loss" else 1)

    @property
    def title(self) -> str:
        """How the metric is shown, such as "F2", "macro F1" or "ROC AUC"."""
        prefix = "weighted " if self.weights else ""
        match self.name:
            case "f_beta":
                return f"{prefix}{'' if self.average == 'samples' else f'{self.average} '}F{self.beta:g}"
            case "average_precision":
                return f"{prefix}{self.average} AP"
            case "label_ranking":
                return "LRAP" if self.average == "samples" else "lwlrap"
            case "roc_auc":
                return f"{prefix}ROC AUC"
            case _:
                return prefix + self.name.replace("_", " ")

    @property
    def prior_cut(self) -> float:
        """The cut that is right for a calibrated score taken alone: 1 / (1 + beta^2) for F-beta, else a half."""
        return 1.0 / (1.0 + self.beta**2) if self.name == "f_beta" else 0.5

    def of_labels(self, labels: tuple[str, ...]) -> Metric:
        """Return the metric of some labels, whose weights are then those of these labels, in their order."""
        if not self.weights:
            return self
        weights = {label: self.weights.get(label, 1.0) for label in labels}
        return self.model_copy(update={"weights": weights})
