"""What the backend computes on: with models/accelerate.py the only place that names backends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import keras


def num_gpus() -> int:
    """Return the number of GPUs that the backend uses."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow

        return len(tensorflow.config.list_physical_devices("GPU"))
    if backend == "jax":
        import jax

        return 0 if jax.default_backend() == "cpu" else jax.device_count()
    import torch

    return int(torch.cuda.device_count())


def jit_compile() -> bool | str:
    """Return whether Keras compiles steps by XLA: on a CPU, TensorFlow's made MobileNetV2 train at half the speed."""
    return False if keras.backend.backend() == "tensorflow" and not num_gpus() else "auto"


@contextmanager
def precision(kind: str) -> Iterator[None]:
    """Build layers for a recipe's precision: mixed is bfloat16, whose range is float32's, so that no loss is scaled."""
    before = keras.config.dtype_policy()
    mixed = kind == "mixed" or (kind == "auto" and num_gpus() > 0)
    keras.config.set_dtype_policy("mixed_bfloat16" if mixed else "float32")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def all_devices() -> AbstractContextManager[object]:
    """Return the context in which a network is built and trained so that each step's chips are dealt to all GPUs.

    TensorFlow and JAX do it by Keras' and their own means. Keras has none for torch, which uses one GPU.
    """
    if num_gpus() < 2 or keras.backend.backend() == "torch":
        return nullcontext()
    if keras.backend.backend() == "tensorflow":
        import tensorflow

        return tensorflow.distribute.MirroredStrategy().scope()
    return keras.distribution.DataParallel(auto_shard_dataset=False).scope()
