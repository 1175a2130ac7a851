"""Train a fold by whichever backend is set: `python -m tests.models.fold_by_backend WORKSPACE WEIGHTS DEVICES`.

Batches are made as for two GPUs, by several workers. With DEVICES 2 two halves of the processor pass for GPUs.

Nothing in it is left to the backend's own chance: heads begin at fixed weights, and there is no dropout. All batches
are of one size, as JAX compiles anew for another.
"""

from __future__ import annotations

import functools
import json
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest import mock

import keras
from keras import layers

from competition.spec.load import load
from competition.spec.metric import AVERAGES, Metric
from competition.task import Task
from competition.workspace import Workspace
from models.networks import heads
from models.networks.monitor import monitor
from models.train.job import Job
from models.train.run_jobs import run_jobs
from tests.competition.metrics.matrices import draw_matrices
from tests.conftest import store_of
from tests.models import samples

PLANET = load("planet")
BATCH = 14  # the 41 chips to learn from, and one again, as for two GPUs, are three of them
MODELS: dict[str, dict[str, Any]] = {
    "head": {"train": "head", "epochs": 2, "mixup": 0.3, "weight_decay": 0.01},
    "finetune": {
        "train": "finetune",
        "epochs": 2,
        "head_epochs": 1,
        "augment": ("d4", "photometric"),
        "ema": 0.8,
        "clip": 1.0,
        "groups": "softmax",
        "loss": "crossentropy_and_f_beta",
        "progressive": (12,),
        "schedule": "cosine",
        "warmup": 0.5,
    },
}


def PlainNet(  # noqa: N802 - named as the networks of keras.applications are
    weights: str | None = None, include_top: bool = False, input_shape: tuple[int, int, int] = (16, 16, 3)
) -> keras.Model:
    """Stand in for a network of keras.applications, without dropout; its weights come from a file."""
    chips, begun = keras.Input(input_shape), {"kernel_initializer": "zeros"}
    hidden = layers.Conv2D(6, 3, use_bias=False, name="conv", **begun)(chips)
    hidden = layers.Activation("relu")(layers.BatchNormalization(momentum=0.5, name="norm")(hidden))
    hidden = layers.Conv2D(8, 3, strides=2, activation="relu", name="last", **begun)(hidden)
    return keras.Model(chips, hidden, name="plainnet")


PlainNet.__module__ = samples.__name__  # where its preprocessing is


def train_fold(root: Path, weights: Path) -> None:
    """Train a head on the bank and a fine-tuned network, on fold 0."""
    workspace = Workspace(root, load("planet"))
    build = heads.build_head

    def begun_alike(*arguments: Any, **options: Any) -> keras.Model:
        head = build(*arguments, **options)
        # Biases of 0 would have a gradient of 0 where half the chips carry a label, and Adam follows its rounding.
        head.set_weights([0 * values - 0.3 * (values.ndim == 1) for values in head.get_weights()])
        return head

    common = {"backbone": "PlainNet", "weights": str(weights), "pooling": ("avg", "max"), "dense": (), "dropout": 0.0}
    # At a low rate no score is so wrong that TensorFlow, which does not clip it, has another loss than the others.
    common |= {"precision": "float32", "batch_size": BATCH, "learning_rate": 2e-4}
    with (
        mock.patch.object(keras.applications, "PlainNet", PlainNet, create=True),
        mock.patch("models.networks.build.build_head", begun_alike),
        mock.patch("models.train.job.check_learnt"),  # which heads begun at will have not
        mock.patch("models.backend.runners._reason_against", return_value="backends are compared"),
    ):
        for name, values in MODELS.items():
            recipe = samples.tiny_recipe(**common, **values)
            run_jobs([Job(workspace, store_of(workspace), name, recipe, 0, with_test=False)])


def train_on_devices(root: Path, weights: Path, num_devices: int) -> None:
    """Train them on the processor, or with each step's chips shared by two halves of it."""
    with ExitStack() as stack:
        stack.enter_context(mock.patch("models.inputs.batches.num_gpus", return_value=2))
        if num_devices == 2:
            stack.enter_context(mock.patch("models.backend.devices.num_gpus", return_value=2))
            if keras.backend.backend() == "tensorflow":
                import tensorflow

                # By name, a package of the same name would be found, which has no strategies.
                stack.enter_context(mock.patch.object(tensorflow.distribute, "MirroredStrategy", _two_halves()))
        train_fold(root, weights)


def _two_halves() -> Any:
    import tensorflow

    halves = [tensorflow.config.LogicalDeviceConfiguration()] * 2
    processor = tensorflow.config.list_physical_devices("CPU")[0]
    tensorflow.config.set_logical_device_configuration(processor, halves)
    return functools.partial(tensorflow.distribute.MirroredStrategy, ["CPU:0", "CPU:1"])


def monitored() -> dict[str, float]:
    """Return what each metric that training shows is of the same made-up scores."""
    truth, scores = draw_matrices(100, 3)
    found = {}
    for name, averages in AVERAGES.items():
        for average in averages:
            metric = Metric.model_validate({"name": name, "average": average})
            values = {"labels": PLANET.labels[:3], "exclusive": (), "metric": metric}
            shown = monitor(Task(PLANET.model_copy(update=values), PLANET.labels[:3]))
            for part in (slice(60), slice(60, 100)):
                shown.update_state(truth[part].astype("float32"), scores[part])
            found[f"{average} {name}"] = float(keras.ops.convert_to_numpy(shown.result()))
    return found


if __name__ == "__main__":
    train_on_devices(*(Path(argument) for argument in sys.argv[1:3]), num_devices=int(sys.argv[3]))
    (Path(sys.argv[1]) / "monitored.json").write_text(json.dumps(monitored()))
