"""Training of one fold, epoch by epoch, resumable after the last finished one."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import keras
import numpy as np

from competition.common.interrupts import check, deferred
from competition.common.progress import reporter
from folds.store.alone import model_and_fold
from models.backend.load import seed_backend
from models.inputs.batches import Batches, TrainingBatches
from models.inputs.examples import Examples
from models.networks.build import compile_at_rest, learns_statistics
from models.networks.monitor import KEY
from models.networks.optimizers import averaged
from models.recipes.recipe import Recipe
from models.runs.event_log import log_epochs
from models.runs.folders import load_weights
from models.runs.training_state import DivergedError, Epoch, TrainingState, checkpoints
from models.train.checkpoints import best_files, resume, write_checkpoint


def train(network: keras.Model, examples: Examples, recipe: Recipe, folder: Path) -> TrainingState:
    """Train a network to the end of its input size; after the last size leave it with those of its best epoch.

    After each epoch the whole state (weights, optimiser, history, best epoch) is written to a new folder and renamed,
    and the one before is removed: a kill at any moment costs the epoch it fell in and nothing else.

    Args:
        network: the compiled network, of the input size that follows the epochs finished in `folder`.
        examples: the chips to learn from and those held out.
        recipe: epochs, input sizes, patience and batches.
        folder: the job's folder; checkpoints go to `checkpoints/` in it.

    Returns:
        The state after the last epoch.

    Raises:
        UserError: if the loss is no longer a number.
    """
    metric, sign = examples.task.metric.title, examples.task.metric.sign
    folder.mkdir(parents=True, exist_ok=True)
    state = resume(network, folder, recipe.swa, sign)
    log_epochs(folder, state, metric, recipe.monitor)  # of an epoch after which the process was killed
    size, last = recipe.stage_after(state.epochs)
    if state.is_at(size):
        reporter.say(f"Going on after epoch {state.epochs}; best {metric} so far {state.best_metric:.4f}.")
    patience = recipe.patience if last == recipe.epochs else 0
    while not state.is_over(last, patience if state.is_at(size) else 0):
        epoch = _one_epoch(network, examples, recipe, state.epochs, size)
        # The last step's weights show in the held-out loss alone.
        if not np.isfinite(loss := epoch.loss + epoch.heldout_loss):
            what = f"The loss became {loss} in epoch {epoch.number + 1}"
            raise DivergedError(what, recipe.learning_rate, *model_and_fold(folder))
        better = state.add(epoch, sign)
        write_checkpoint(network, state, best_files(state, recipe.swa, sign), folder)
        log_epochs(folder, state, metric, recipe.monitor)
        reporter.say(_line(epoch, recipe.epochs, metric, better, examples.judged_by))
    if last == recipe.epochs:
        if state.epochs < last:
            reporter.say(f"Stopped: no better {metric} in {state.waited} epochs.")
        _load_best(network, examples, recipe, state, checkpoints(folder)[-1])
    return state


def _load_best(
    network: keras.Model, examples: Examples, recipe: Recipe, state: TrainingState, checkpoint: Path
) -> None:
    """Give a network the weights of its best epoch, or the mean of those of several.

    The mean network meets other features than any of those that it is the mean of: where batch normalisations learn,
    one more epoch that changes no weight gives them the statistics of its own.

    Source: Izmailov et al., "Averaging Weights Leads to Wider Optima and Better Generalization", UAI 2018; differs from
    it in that the best epochs are averaged, and not the last.
    """
    best = best_files(state, recipe.swa, examples.task.metric.sign)
    total: list[Any] = []
    for name in best:
        load_weights(network, checkpoint / name)
        if recipe.swa:
            weights = [np.asarray(each, dtype=np.float64) for each in network.get_weights()]
            total = [one + other for one, other in zip(total, weights, strict=True)] if total else weights
    if not recipe.swa:
        return
    kept = ", ".join(str(number + 1) for number in sorted(best.values()))
    reporter.say(f"The weights of epochs {kept} are averaged.")
    network.set_weights([each / len(best) for each in total])
    if learns_statistics(network):
        compile_at_rest(network, recipe, examples.task, examples.training_truth)
        with deferred():
            _seed_dropout(network, recipe.seed, state.epochs)
        batches = TrainingBatches(
            examples.source, examples.training, examples.truth, recipe, state.epochs, examples.taught
        )
        with deferred():
            network._symbolic_build(data_batch=batches[0])
        with reporter.bar(len(batches), "statistics of the mean", "step") as bar, deferred():
            network.fit(batches, verbose=0, shuffle=False, callbacks=[Watch(bar)])


def _one_epoch(network: keras.Model, examples: Examples, recipe: Recipe, number: int, size: int) -> Epoch:
    started = time.monotonic()
    with deferred():
        _seed_dropout(network, recipe.seed, number)
    batches = TrainingBatches(examples.source, examples.training, examples.truth, recipe, number, examples.taught)
    at_once = max(recipe.batch_size, examples.source.batch_size)
    judged = Batches(examples.source, examples.judged, examples.truth, at_once)
    # JAX and torch build the metrics from a first batch, which several workers do not give back to `fit`.
    with deferred():
        network._symbolic_build(data_batch=batches[0])
    rate = float(keras.ops.convert_to_numpy(network.optimizer.learning_rate))
    with reporter.bar(len(batches), f"epoch {number + 1}/{recipe.epochs}", "step") as bar:
        watch = Watch(bar)
        with deferred():
            learnt = network.fit(batches, verbose=0, shuffle=False, callbacks=[watch]).history
        with averaged(network), deferred():
            figures = network.evaluate(judged, verbose=0, return_dict=True, callbacks=[watch])
    return Epoch(
        number=number,
        loss=float(learnt["loss"][0]),
        metric=float(learnt[KEY][0]),
        heldout_loss=float(figures["loss"]),
        heldout_metric=float(figures[KEY]),
        learning_rate=rate,
        seconds=time.monotonic() - started,
        input_size=size,
    )


class Watch(keras.callbacks.Callback):
    """Moves the bar of an epoch on, and ends training or a long evaluation when Ctrl-C was pressed.

    Args:
        bar: counts training steps.
    """

    def __init__(self, bar: Any) -> None:
        super().__init__()
        self.bar = bar

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Count a step, and show its loss."""
        check()
        self.bar.update()
        if logs and self.bar.is_drawn:
            self.bar.remark(f"loss {float(logs['loss']):.4f}")

    def on_test_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Look for a Ctrl-C."""
        check()


def _seed_dropout(network: keras.Model, seed: int, epoch: int) -> None:
    """Make the draws of an epoch depend on its number alone: saved weights do not hold the generators' state."""
    layers = [layer for layer in network._flatten_layers() if getattr(layer, "seed_generator", None) is not None]
    for number, layer in enumerate(layers):
        state = np.random.SeedSequence([seed, number, epoch]).generate_state(2).astype(np.int64)
        layer.seed_generator.state.assign(state % 2**31)
    seed_backend(int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0]))


def _line(epoch: Epoch, epochs: int, metric: str, better: bool, by: str) -> str:
    return (
        f"epoch {epoch.number + 1:>3}/{epochs}  loss {epoch.loss:.4f}  {metric} {epoch.metric:.4f}  "
        f"{by} loss {epoch.heldout_loss:.4f}  {metric} {epoch.heldout_metric:.4f}{' *' if better else '  '}  "
        f"rate {epoch.learning_rate:.1e}  {epoch.seconds:.0f} s"
    )
