"""What the backend computes on: GPUs, precision, compiling, and how many chips at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from shutil import which
from typing import Any

PIXELS_AT_ONCE = 2**21
TOOLS_OF_GPUS = ("nvidia-smi", "rocm-smi")


def backend_name() -> str:
    """Return the backend that Keras computes with; it loads Keras, which nothing else at the top of this file does."""
    import keras

    return str(keras.backend.backend())


def may_have_gpu() -> bool:
    """Return whether there is a sign of a GPU, without loading the backend, which alone knows whether it uses one."""
    return any(map(which, TOOLS_OF_GPUS))


def num_gpus() -> int:
    """Return the number of GPUs that the backend uses."""
    backend = backend_name()
    if backend == "tensorflow":
        import tensorflow

        return len(tensorflow.config.list_physical_devices("GPU"))
    if backend == "jax":
        import jax

        return 0 if jax.default_backend() == "cpu" else jax.device_count()
    import torch

    return int(torch.cuda.device_count())


def has_bfloat16() -> bool:
    """Return whether every GPU computes in bfloat16: NVIDIA's do from Ampere on (compute capability 8)."""
    backend, count = backend_name(), num_gpus()
    if backend == "torch":
        import torch

        return count > 0 and bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if backend == "tensorflow":
        import tensorflow

        gpus = tensorflow.config.list_physical_devices("GPU")
        details = [tensorflow.config.experimental.get_device_details(gpu) for gpu in gpus]
        known = [detail.get("compute_capability", (0,))[0] for detail in details]
    else:
        import jax

        # A TPU, which has it, tells none.
        known = [float(getattr(device, "compute_capability", 8)) for device in jax.devices()]
    return count > 0 and min(known, default=0) >= 8


def jit_compile() -> bool | str:
    """Return whether Keras compiles steps by XLA: on a CPU, TensorFlow's made MobileNetV2 train at half the speed."""
    return False if backend_name() == "tensorflow" and not num_gpus() else "auto"


@contextmanager
def precision(kind: str) -> Iterator[None]:
    """Build layers for a recipe's precision: mixed is bfloat16, whose range is float32's, so that no loss is scaled."""
    import keras

    before = keras.config.dtype_policy()
    mixed = kind == "mixed" or (kind == "auto" and has_bfloat16())
    keras.config.set_dtype_policy("mixed_bfloat16" if mixed else "float32")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def summed(gradients: list[Any]) -> tuple[list[Any], int]:
    """Return the gradients of a step's chips on all devices, and how many times each device will add them up.

    TensorFlow's replicas hold those of their own chips, and add up what they are given; elsewhere they are whole.
    """
    if backend_name() != "tensorflow":
        return gradients, 1
    import tensorflow

    replicas = tensorflow.distribute.get_replica_context()
    if replicas is None or replicas.num_replicas_in_sync == 1:
        return gradients, 1
    return list(replicas.all_reduce("SUM", gradients)), replicas.num_replicas_in_sync


def all_devices() -> AbstractContextManager[object]:
    """Return the context in which a network is built and trained so that each step's chips are dealt to all GPUs.

    TensorFlow and JAX do it by Keras' and their own means. Keras has none for torch, which uses one GPU.
    """
    if num_gpus() < 2 or backend_name() == "torch":
        return nullcontext()
    if backend_name() == "tensorflow":
        import tensorflow

        return tensorflow.distribute.MirroredStrategy().scope()
    import keras

    return keras.distribution.DataParallel(auto_shard_dataset=False).scope()


def batch_size_for(size: int) -> int:
    """Return how many chips of `size` pixels to predict at once: enough to keep every core busy, within 1 GB or so."""
    return max(8, min(1024, PIXELS_AT_ONCE // size**2))
