"""What the process has imported from which those of the verbs are forked; with a network that is no download."""

from models.backend.load import load_backend

load_backend()

import keras  # noqa: E402
import optuna  # noqa: E402, F401
import sklearn.linear_model  # noqa: E402, F401
import sqlalchemy  # noqa: E402, F401

import run  # noqa: E402, F401
import tests.faults.kills  # noqa: E402, F401
from tests.models import samples  # noqa: E402

keras.applications.TinyNet = samples.TinyNet
