"""A network of timm as a layer of Keras on the backend torch, which learns, is saved and drops units as others do."""

from __future__ import annotations

import importlib
from contextlib import nullcontext
from typing import Any

import keras

from competition.common.errors import UserError


class TimmBackbone(keras.layers.TorchModuleWrapper):
    """A network of timm without its classifier, from chips to its last map or tokens.

    Its parameters are variables of Keras, in one memory with torch's, named so that the optimiser knows kernels from
    what does not decay. Running statistics are no variables, but are saved with the weights. What it drops depends on
    its seed generator alone, which training sets before each epoch, as of every layer that drops.

    Args:
        module: of `models.foreign.modules.build_module`.
        bands_last: whether its maps have their values last.
        options: those of every layer.
    """

    def __init__(self, module: Any, *, bands_last: bool = False, **options: Any) -> None:
        self.bands_last = bands_last
        self._shapes = dict[tuple[Any, ...], tuple[int, ...]]()
        self.at_rest: list[Any] = []  # batch normalisations whose statistics stay while others learn
        super().__init__(module, **options)
        drops = ("drop_prob", "p", "drop_rate", "prob")
        self.is_random = any(
            "drop" in type(part).__name__.lower() and any(getattr(part, name, 0) for name in drops)
            for part in module.modules()
        )
        self.seed_generator = keras.random.SeedGenerator(0) if self.is_random else None

    def _track_module_parameters(self) -> None:
        """Make variables of the parameters, by names that say which are kernels."""
        undecayed = set(getattr(self.module, "no_weight_decay", set)())
        with keras.name_scope(self.name):
            for name, parameter in self.module.named_parameters():
                is_kernel = parameter.ndim > 1 and name.endswith("weight") and name not in undecayed
                called = (name.removesuffix("weight") + "kernel" if is_kernel else name).replace(".", "-")
                self._track_variable(keras.Variable(parameter, trainable=parameter.requires_grad, name=called))
        self.built = True

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

    def call(self, chips: Any, training: bool = False) -> Any:
        """Return what the network makes of chips before any head, a map with its values last, tokens or vectors."""
        torch = importlib.import_module("torch")
        self.module.train(bool(training))
        for norm in self.at_rest:
            norm.eval()
        mixed = torch.autocast(chips.device.type, torch.bfloat16, enabled=self.compute_dtype == "bfloat16")
        with self._seeded(chips) if training else nullcontext(), mixed:
            made = self.module.forward_features(chips.permute(0, 3, 1, 2))
        return made.permute(0, 2, 3, 1) if made.ndim == 4 and not self.bands_last else made

    def _seeded(self, chips: Any) -> Any:
        """Return the context in which what is dropped depends on the layer's own seed."""
        if self.seed_generator is None:
            return nullcontext()
        torch = importlib.import_module("torch")
        high, low = keras.ops.convert_to_numpy(self.seed_generator.next()).tolist()
        context = torch.random.fork_rng([chips.device] if chips.device.type == "cuda" else [])
        return _Seeded(context, (int(high) << 31) ^ int(low))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the shape of what it returns, found by one chip; weights that play no part in it do not learn."""
        key = tuple(input_shape[1:])
        if key not in self._shapes:
            torch = importlib.import_module("torch")
            device = next(self.module.parameters()).device
            with torch.enable_grad():
                made = self.call(torch.zeros((1, *key), device=device))
                self._leave_out_unused(made)
            self._shapes[key] = tuple(made.shape[1:])
        return (input_shape[0], *self._shapes[key])

    def _leave_out_unused(self, made: Any) -> None:
        """Let those weights stand still that what is made does not depend on, such as the norm of a head left out."""
        torch = importlib.import_module("torch")
        learning = [variable for variable in self.variables if variable.trainable]
        values = [variable.value for variable in learning]
        found = torch.autograd.grad(made.float().sum(), values, allow_unused=True)
        for variable, gradient in zip(learning, found, strict=True):
            if gradient is None:
                variable.trainable = False

    def get_config(self) -> dict[str, Any]:
        """Refuse: Keras' wrapper would pickle the module.

        Raises:
            UserError: always.
        """
        raise UserError(
            "A network of timm has no layers of Keras, as a .keras file needs them. Give an --output that ends in "
            ".onnx or .zip."
        )


class _Seeded:
    """A context of torch in which its generators begin at a seed, and are as before after it."""

    def __init__(self, context: Any, seed: int) -> None:
        self.context, self.seed = context, seed

    def __enter__(self) -> None:
        self.context.__enter__()
        importlib.import_module("torch").manual_seed(self.seed)

    def __exit__(self, *error: Any) -> None:
        self.context.__exit__(*error)
