"""A network of timm as a layer of Keras on the backend torch, which learns and is saved as others are."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from competition.common.errors import UserError
from models.foreign.modules import OUTPUTS, outputs_of, tried

Shapes = Mapping[str, tuple[int, ...]]


def shapes_of(module: Any, chip: tuple[int, int, int]) -> Shapes:
    """Return the shapes of a network's outputs for one chip of a shape (num_bands, size, size), by name.

    Raises:
        UserError: if it does not take chips of that size.
    """
    return {name: made.shape for name, made in tried(module, np.zeros((1, *chip), np.float32)).items()}


class TimmBackbone(keras.layers.TorchModuleWrapper):
    """A network of timm without its classifier, from chips to its outputs.

    Its parameters are variables of Keras, in one memory with torch's, named so that the optimiser knows kernels from
    what does not decay. Running statistics are no variables, but are saved with the weights. What it drops is drawn by
    torch's own generator.

    Args:
        module: of `models.foreign.weights.timm_module`.
        chip: shape of what it is given, (num_bands, size, size).
        shapes: of its outputs, of `shapes_of`.
        names: of the outputs that it returns, which is one tensor where it is one.
        options: those of every layer.
    """

    def __init__(
        self,
        module: Any,
        chip: tuple[int, int, int],
        shapes: Shapes,
        names: Sequence[str] = OUTPUTS[:1],
        **options: Any,
    ) -> None:
        self.chip, self.shapes, self.names = chip, dict(shapes), tuple(names)
        self.at_rest: list[Any] = []  # batch normalisations whose statistics stay while others learn
        super().__init__(module, **options)

    def _track_module_parameters(self) -> None:
        """Make variables of the parameters, by names that say which are kernels; what plays no part does not learn."""
        undecayed = set(getattr(self.module, "no_weight_decay", set)())
        unused = self._unused()
        with keras.name_scope(self.name):
            for name, parameter in self.module.named_parameters():
                is_kernel = parameter.ndim > 1 and name.endswith("weight") and name not in undecayed
                called = (name.removesuffix("weight") + "kernel" if is_kernel else name).replace(".", "-")
                parameter.requires_grad = parameter.requires_grad and name not in unused
                self._track_variable(keras.Variable(parameter, trainable=parameter.requires_grad, name=called))
        self.built = True

    def _unused(self) -> set[str]:
        """Return the names of parameters that no output depends on, such as those of the norm of a head left out."""
        torch = importlib.import_module("torch")
        learning = {name: each for name, each in self.module.named_parameters() if each.requires_grad}
        first = next(iter(learning.values()))
        chip = torch.zeros((1, *self.chip), device=first.device)
        with torch.enable_grad():
            made = outputs_of(self.module.eval(), chip, self.names)
        found = torch.autograd.grad([each.sum() for each in made], list(learning.values()), allow_unused=True)
        return {name for name, gradient in zip(learning, found, strict=True) if gradient is None}

    def freeze(self, learning: float, *, norms: bool) -> None:
        """Keep the first parts of the network, and its batch normalisations, as they are.

        Args:
            learning: share of its parts with weights of their own that learn, from the last, in the order in which
                the network names them.
            norms: keep all batch normalisations.
        """
        norm = importlib.import_module("torch").nn.modules.batchnorm._BatchNorm
        parts = [part for part in self.module.modules() if any(True for _ in part.parameters(recurse=False))]
        first = len(parts) - max(1, round(learning * len(parts)))
        still = [part for number, part in enumerate(parts) if number < first or (norms and isinstance(part, norm))]
        kept = {id(parameter) for part in still for parameter in part.parameters(recurse=False)}
        for variable in self.variables:
            if id(variable.value) in kept:
                variable.trainable = False
        self.at_rest = [part for part in still if isinstance(part, norm)]

    @property
    def learns_statistics(self) -> bool:
        """Whether training changes the statistics of its batch normalisations."""
        norm = importlib.import_module("torch").nn.modules.batchnorm._BatchNorm
        at_rest = {id(part) for part in self.at_rest}
        return any(isinstance(part, norm) and id(part) not in at_rest for part in self.module.modules())

    def call(self, chips: Any, training: bool = False) -> Any:
        """Return the outputs for chips (num_chips, size, size, num_bands)."""
        torch = importlib.import_module("torch")
        self.module.train(bool(training))
        for norm in self.at_rest:
            norm.eval()
        with torch.autocast(chips.device.type, torch.bfloat16, enabled=self.compute_dtype == "bfloat16"):
            made = outputs_of(self.module, chips.permute(0, 3, 1, 2), self.names)
        return made[0] if len(made) == 1 else made

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> Any:
        """Return the shapes of what it returns."""
        found = [(input_shape[0], *self.shapes[name][1:]) for name in self.names]
        return found[0] if len(found) == 1 else found

    def get_config(self) -> dict[str, Any]:
        """Refuse: Keras' wrapper would pickle the module.

        Raises:
            UserError: always.
        """
        raise UserError(
            "A network of timm has no layers of Keras, as a .keras file needs them. Give an --output that ends in "
            ".onnx or .zip."
        )
