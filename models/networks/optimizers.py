"""Optimisers: steps that differ between variables, rates that rise and fall, and averages of the weights."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
from keras import ops

from models.backend.devices import summed
from models.recipes.recipe import Recipe


def make_optimizer(recipe: Recipe, steps_per_epoch: int, slow: Collection[str] = ()) -> keras.Optimizer:
    """Return the optimiser of a recipe.

    `adamw` is Adam with decoupled weight decay (Loshchilov and Hutter, ICLR 2019), as is `adam` where the recipe has
    any decay; so is `sgd` with momentum .9 (Nesterov's).

    Args:
        recipe: the steps' values.
        steps_per_epoch: training steps per epoch, for the schedule.
        slow: paths of the variables whose learning rate is multiplied by the recipe's `backbone_rate`, decay included.
    """
    options: dict[str, Any] = {
        "learning_rate": _rate(recipe, steps_per_epoch),
        "global_clipnorm": recipe.clip or None,
        "use_ema": recipe.ema > 0,
        "ema_momentum": recipe.ema,
        "slow": slow,
        "slow_rate": recipe.backbone_rate,
        "decay": recipe.weight_decay,
    }
    if recipe.optimizer == "sgd":
        return PacedSGD(momentum=0.9, nesterov=True, **options)
    return PacedAdam(**options)


@contextmanager
def averaged(network: keras.Model) -> Iterator[None]:
    """Give a network the moving averages of its weights for a while, to be judged and saved; then the raw ones again.

    Does nothing where the optimiser keeps no averages, or has made no step yet. Batch-norm statistics, which are
    moving averages by themselves, stay as they are.

    Args:
        network: a network whose optimiser is one of `make_optimizer`.
    """
    optimizer = network.optimizer
    if not optimizer.use_ema or int(ops.convert_to_numpy(optimizer.iterations)) == 0:
        yield
        return
    # A copy: torch's arrays are views of the very memory that is overwritten.
    raw = [np.array(ops.convert_to_numpy(variable)) for variable, _ in optimizer.averages]
    for variable, average in optimizer.averages:
        variable.assign(np.array(ops.convert_to_numpy(average)))  # JAX gives away what two variables would share
    try:
        yield
    finally:
        for (variable, _), value in zip(optimizer.averages, raw, strict=True):
            variable.assign(value)


@keras.saving.register_keras_serializable(package="planet")
class RisingRate(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that rises in equal steps to its peak, and then stays or falls along a cosine to 0.

    Source: Loshchilov and Hutter, "SGDR", ICLR 2017, for the cosine; Goyal et al., 2017, for the rise. Keras'
    `CosineDecay` begins its rise with a step of rate 0, and has none for a constant rate; without a rise its rates
    differ from these in the last bit within a compiled step, which would change every network trained before.

    Args:
        peak: the highest rate.
        rising: steps of the rise; the last of them has the peak rate.
        last: the step at which a cosine reaches 0; None: the rate stays.
    """

    def __init__(self, peak: float, rising: int, last: int | None = None) -> None:
        self.peak, self.rising, self.last = peak, rising, last

    def __call__(self, step: Any) -> Any:
        """Return the rate of a step, counted from 0."""
        step = ops.cast(step, "float32")
        rate = self.peak * ops.minimum((step + 1) / max(self.rising, 1), 1.0)
        if self.last is None:
            return rate
        share = ops.clip((step - self.rising) / (self.last - self.rising), 0.0, 1.0)
        return rate * 0.5 * (1 + ops.cos(np.pi * share))

    def get_config(self) -> dict[str, Any]:
        """Return what `from_config` needs."""
        return {"peak": self.peak, "rising": self.rising, "last": self.last}


def _rate(recipe: Recipe, steps_per_epoch: int) -> float | RisingRate:
    if recipe.schedule == "constant" and not recipe.warmup:
        return float(recipe.learning_rate)
    last = recipe.epochs * steps_per_epoch
    rising = min(round(recipe.warmup * steps_per_epoch), last - 1)
    return RisingRate(recipe.learning_rate, rising, last if recipe.schedule == "cosine" else None)


class _OwnPace(keras.Optimizer):
    """Steps of a learning rate by variable, with the decay of kernels in it; comes before an optimiser of Keras.

    `update_step` is what Keras documents for its own steps, and the one place through which they go on every backend:
    torch's own optimisers step over all variables at once, but subclasses, as these are, do not get that.
    """

    def __init__(self, *, slow: Collection[str], slow_rate: float, decay: float, **options: Any) -> None:
        super().__init__(**options)
        self.slow, self.slow_rate, self.decay = frozenset(slow), slow_rate, decay

    def build(self, variables: list[Any]) -> None:
        """Make the optimiser's variables, and note each variable's pace.

        Raises:
            ValueError: if there are slow paths, and none is a variable's.
        """
        if self.slow and self.slow.isdisjoint(variable.path for variable in variables):
            raise ValueError(f"no variable that learns has one of the slow paths, such as {min(self.slow)}")
        self.rates = tuple(self.slow_rate if variable.path in self.slow else 1.0 for variable in variables)
        # Biases, the gammas and betas of normalisations and the scales of layers are no kernels.
        self.decays = tuple(self.decay if variable.path.endswith("kernel") else 0.0 for variable in variables)
        super().build(variables)

    def _clip_gradients(self, grads: list[Any]) -> list[Any]:
        """Clip the gradient of all devices' chips: Keras would clip each replica's, and then add them up."""
        if not self.global_clipnorm:
            return grads
        whole, times = summed(grads)
        return [gradient / times for gradient in super()._clip_gradients(whole)]

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Make the step of one variable."""
        index = self._get_variable_index(variable)
        rate = ops.cast(learning_rate, variable.dtype) * self.rates[index]
        if self.decays[index]:
            self.assign_sub(variable, variable * rate * self.decays[index])
        super().update_step(gradient, variable, rate)

    def _update_model_variables_moving_average(self, trainable_variables: list[Any]) -> None:
        """Take the latest weights into the averages, with a momentum that rises to the recipe's as n / (n + 9).

        With the recipe's from the start, the averages of a short training would be mostly the weights it began with.
        TensorFlow's `ExponentialMovingAverage` does so with `num_updates`.
        """
        if self.use_ema:
            steps = ops.cast(self.iterations, "float32")
            share = 1 - ops.minimum(self.ema_momentum, steps / (steps + 9))
            for variable in trainable_variables:
                average = self._model_variables_moving_average[self._get_variable_index(variable)]
                average.assign(average + ops.cast(share, variable.dtype) * (variable - average))

    def finalize_variable_values(self, var_list: list[Any]) -> None:
        """Leave the weights as they are: Keras would end each `fit`, here each epoch, by making them the averages."""

    @property
    def averages(self) -> list[tuple[Any, Any]]:
        """Each variable that learns, with its moving average."""
        return list(zip(self._trainable_variables, self._model_variables_moving_average, strict=True))


class PacedAdam(_OwnPace, keras.optimizers.Adam):
    """Adam at each variable's own pace."""


class PacedSGD(_OwnPace, keras.optimizers.SGD):
    """Stochastic gradient descent at each variable's own pace."""
