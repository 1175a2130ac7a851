"""Recipes: flat tables of values, each of which a flag overrides."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from competition.common.errors import UserError, unknown_name
from competition.common.files import digest_file, digest_json
from competition.common.text import counted
from models.recipes.checks import check_each, check_joint, check_together
from models.recipes.foreign import check_foreign, companions
from models.recipes.values import FILE, NONE, Values

if TYPE_CHECKING:
    from competition.spec.competition import Competition
    from competition.task import Task

Columns = tuple[tuple[int, ...], ...]
# Values that recipes had not at first, and what they were without them.
LATER: dict[str, Any] = {"members": 1, "parts": (), "input_dropout": None}
LATER |= {"mean": (), "deviation": (), "outputs": (), "prefix_tokens": None, "monitor": "heldout", "swa": 0}
LATER |= {"pseudo": NONE, "pseudo_weight": 1.0, "pseudo_digest": "", "weighted_to": NONE, "weighted_digest": ""}
KEPT = ("imagenet", "none")  # weights that are no file


@dataclass(frozen=True)
class Recipe(Values):
    """Everything that a training job's result depends on, besides the chips and the fold, checked."""

    def __post_init__(self) -> None:
        check_each(self)
        check_together(self)
        check_foreign(self)
        if self.parts or "," in self.backbone:
            check_joint(self, self.of_parts)

    @property
    def of_parts(self) -> tuple[Recipe, ...]:
        """The recipe of each part whose features stand side by side: of one that is not joint, itself alone."""
        if not self.parts:
            return (self,)
        return tuple(dataclasses.replace(self, parts=(), **vars(part)) for part in self.parts)

    def summary(self) -> str:
        """Return what is trained and for how long, in one line."""
        kinds = {"head": "frozen", "finetune": "fine-tuned", "full": "pretrained"}
        weights, parts = "from scratch" if self.weights == "none" else kinds[self.train], self.of_parts
        names = (Path(part.weights).name if part.backbone == FILE else part.backbone for part in parts)
        backbones = " + ".join(names)
        bands = " + ".join([self.bands, *dict.fromkeys(index for part in parts for index in part.indices)])
        sizes = ", ".join(dict.fromkeys(str(size) for part in parts for size, _ in part.stages))
        how = f"at most {counted(self.epochs, 'epoch')}" if self.solver == "gradient" else f"solved by {self.solver}"
        taught = "" if self.pseudo == NONE else f", also from pseudo-labels '{self.pseudo}'"
        taught += "" if self.weighted_to == NONE else f", chips weighted to {self.weighted_to}"
        return f"{backbones} {weights}, {bands} at {sizes} px, {how}{taught}."

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

    def digest(self) -> str:
        """Return the SHA-256 of every value; a weights file counts by its content, not by its path.

        A later value counts where it is not as if it were not there: digests of before stay what they were.

        Raises:
            UserError: if a weights file cannot be read.
        """
        paths = [Path(part.weights).expanduser() for part in self.parts if part.weights not in KEPT]
        if missing := [path for path in paths if not path.is_file()]:
            raise UserError(
                f"No weights file {missing[0]}. Give --weights with one for each of {self.backbone}, joined by commas: "
                "imagenet, or a path that exists."
            )
        contents = [part.weights if part.weights in KEPT else part.weights_digest() for part in self.of_parts]
        values = _without_later(self.to_dict())
        values["weights"] = ",".join(contents)
        if self.parts:
            parts = map(_without_later, map(vars, self.parts))
            values["parts"] = [{**part, "weights": of} for part, of in zip(parts, contents, strict=True)]
        return digest_json(values)

    def without_pseudo(self) -> Recipe:
        """Return the recipe of a model that learns from the labelled chips alone."""
        return dataclasses.replace(self, pseudo=NONE, pseudo_weight=1.0, pseudo_digest="")

    def weights_path(self) -> Path:
        """Return the path of the weights file.

        Raises:
            UserError: if there is no such file.
        """
        path = Path(self.weights).expanduser()
        if not path.is_file():
            other = "" if self.backbone == FILE else "imagenet, --weights none, or "
            raise UserError(
                f"No weights file {path}. Give --weights {other}{'a' if other else 'with a'} path that exists."
            )
        return path

    def weights_digest(self) -> str:
        """Return the SHA-256 of the weights file, and of the files that hold a part of it.

        Raises:
            UserError: if there is no such file.
        """
        path = self.weights_path()
        digests = [digest_file(each) for each in (path, *companions(path))]
        return digest_json(digests) if digests[1:] else digests[0]

    def without_paths(self) -> Recipe:
        """Return the recipe with the names of weights files alone: where they lay is nobody else's business."""
        parts = tuple(dataclasses.replace(part, weights=Path(part.weights).name) for part in self.parts)
        named = ",".join(part.weights for part in parts) if parts else Path(self.weights).name
        return dataclasses.replace(self, weights=named, parts=parts)


def _without_later(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value != LATER.get(name)}


def softmax_groups(recipe: Recipe, task: Task) -> Columns:
    """Return the columns of each group of labels that share a softmax.

    A group of which not every label is scored has none: "another one" would need a score of its own.

    Args:
        recipe: `groups` says whether there are any.
        task: the labels that are scored, and the competition's exclusive groups.
    """
    return task.exclusive_columns if recipe.groups == "softmax" else ()
