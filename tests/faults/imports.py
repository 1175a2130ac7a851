"""What the process has imported from which those of the verbs are forked; with a network that is no download."""

from models.backend.load import load_backend

load_backend()

import keras
import optuna
import sklearn.linear_model
import sqlalchemy

import run
import tests.faults.kills
from tests.models import samples

keras.applications.TinyNet = samples.TinyNet
