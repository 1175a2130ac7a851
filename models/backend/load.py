"""Loading Keras and its backend without the lines that native code prints on the way."""

from __future__ import annotations

import importlib
import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from types import ModuleType

from competition.common.errors import UserError
from competition.common.files import versions_of
from competition.common.progress import reporter

BACKENDS = ("tensorflow", "jax", "torch")  # each is an extra of the project; the first is Keras' own choice


def load_backend() -> None:
    """Import Keras; what its backend's libraries print is shown only if the import fails.

    Everything that needs Keras begins here, and imports the modules that import it afterwards.

    TensorFlow writes some lines (no CUDA driver, oneDNN is on) before any log level counts, so its standard error is
    turned aside while it loads.

    Raises:
        UserError: if no backend is installed, or the one asked for does not load.
    """
    if "keras" in sys.modules:
        return
    _choose_backend()
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it warns of each fold's functions being traced anew
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    aside = bytearray()
    try:
        with reporter.busy("loading Keras"), turned_aside(2) as aside:
            load_hdf5()
            importlib.import_module("keras")
    except Exception as error:  # libraries raise whatever they like where they do not load
        os.write(2, aside)
        backend = os.environ.get("KERAS_BACKEND", "tensorflow")
        raise UserError(f"Keras does not load with the backend {backend!r}: {error}.") from error
    reporter.detail(f"Loaded {', '.join(f'{name} {version}' for name, version in versions().items())}.")


def _choose_backend() -> None:
    """Let Keras take a backend that is installed, where its own choice is not, and none is asked for by KERAS_BACKEND.

    Raises:
        UserError: if none is installed, or the one asked for is not.
    """
    installed = [name for name in BACKENDS if find_spec(name)]
    asked = os.environ.get("KERAS_BACKEND")
    if asked in BACKENDS and asked not in installed:
        raise UserError(f"The backend {asked} is not installed. Install it by 'pip install -e \".[{asked}]\"'.")
    if not installed:
        raise UserError(
            "Training and predicting need a backend of Keras, and none is installed. Install one by "
            f"'pip install -e \".[{BACKENDS[0]}]\"', or {' or '.join(BACKENDS[1:])} in its place."
        )
    if not asked and BACKENDS[0] not in installed:
        os.environ["KERAS_BACKEND"] = installed[0]


def load_hdf5() -> ModuleType:
    """Import h5py, which comes with Keras, and let it lock no files, as some file systems of networks refuse that.

    Weights have their names only once they are whole, so that nobody reads what another writes.
    """
    os.environ.setdefault("HDF5_USE_FILE_LOCKING", "FALSE")  # is looked at once, when h5py is imported
    return importlib.import_module("h5py")


def set_seed(seed: int) -> None:
    """Seed every generator, without the lines of TensorFlow: Keras seeds it with any backend, and may load it now."""
    import keras

    with turned_aside(2):
        keras.utils.set_random_seed(seed)


def seed_backend(seed: int) -> None:
    """Seed the backend's own generator, if it has one: dropout goes by torch's, in Keras' layers too."""
    import keras

    if keras.backend.backend() == "torch":
        importlib.import_module("torch").manual_seed(seed)


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


@contextmanager
def turned_aside(*descriptors: int) -> Iterator[bytearray]:
    """Turn aside what anything in this process, native code included, prints within the block.

    Args:
        descriptors: 1 for standard output, 2 for standard error.

    Yields:
        What was printed, once the block has ended.
    """
    printed = bytearray()
    streams = [stream for stream in (sys.stdout, sys.stderr) if stream is not None]
    kept = {number: os.dup(number) for number in descriptors if _is_open(number)}
    with tempfile.TemporaryFile() as file:
        for stream in streams:
            stream.flush()
        for number in kept:
            os.dup2(file.fileno(), number)
        try:
            yield printed
        finally:
            for stream in streams:
                stream.flush()
            for number, copy in kept.items():
                os.dup2(copy, number)
                os.close(copy)
            file.seek(0)
            printed.extend(file.read())


def versions() -> dict[str, str]:
    """Return the versions of what makes scores, by package, and the backend."""
    import keras

    backend = keras.backend.backend()
    # Asked of the module: its distribution may have another name, such as tensorflow-cpu.
    packages = ["planet-toolkit", "keras", "numpy", *(name for name in ("timm",) if name in sys.modules)]
    return {**versions_of(*packages), backend: str(sys.modules[backend].__version__)}
