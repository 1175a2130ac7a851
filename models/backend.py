"""Loading Keras and its backend without the lines that native code prints on the way."""

from __future__ import annotations

import importlib
import logging
import os
import sys
import tempfile

from competition.errors import UserError


def load_backend() -> None:
    """Import Keras; what its backend's libraries print is shown only if the import fails.

    TensorFlow writes some lines (no CUDA driver, oneDNN is on) before any log level counts, so its standard error is
    turned aside while it loads.
    """
    if "keras" in sys.modules:
        return
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it warns of each fold's functions being traced anew
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as aside:
        os.dup2(aside.fileno(), 2)
        try:
            importlib.import_module("keras")
        except Exception as error:
            aside.seek(0)
            os.write(kept, aside.read())
            backend = os.environ.get("KERAS_BACKEND", "tensorflow")
            raise UserError(f"Keras does not load with the backend {backend!r}: {error}.") from error
        finally:
            os.dup2(kept, 2)
            os.close(kept)
