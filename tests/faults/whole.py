"""A small workspace with every kind of file that the toolkit keeps, and verbs run in forked children of this process.

The parent imports what takes long, and runs none of it: TensorFlow does not survive a fork once it has computed.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import pickle
import shutil
import signal
import traceback
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from unittest import mock

from tests import kaggle_server

T = TypeVar("T")
NOBODY = 65534
LONGEST = 400  # seconds of a verb
HEAVY = (
    "keras",
    "tensorflow",
    "optuna",
    "alembic.command",
    "sqlalchemy.dialects.sqlite",
    "pandas",
    "sklearn",
    "scipy.stats",
    "h5py",
    "jinja2",
    "PIL.Image",
    "torch",
    "xml.etree.ElementTree",
    "encodings.ascii",  # this and the next would be read as nobody, to whom Python's own files may be closed
    "filelock._identity",
)
QUICK = ("--input-size", "16", "--epochs", "2", "--dense", "8", "--views", "flips", "--batch-size", "16")
RECIPES = (
    '[tiny]\nbackbone = "TinyNet"\nweights = "{}"\ntrain = "head"\ndense = [8]\nepochs = 3\nlearning_rate = 0.01\n'
)
CHIPS, TABLE, SAMPLE = "train-jpg", "train_v2.csv", "sample_submission_v2.csv"


@dataclass(frozen=True)
class Shown:
    """What a verb has done.

    Attributes:
        code: its exit code; -1 if it ended with a traceback, or the process died.
        out: its standard output.
        err: its standard error; after a traceback, that.
    """

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The line that says what was wrong."""
        lines = [line for line in self.err.splitlines() if line.startswith("Error: ")]
        return lines[-1] if lines else ""


def forked(work: Callable[[], T], *, as_nobody: bool = False) -> T:
    """Return what `work` returns in a forked child; raises RuntimeError if the child dies."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        signal.alarm(LONGEST)
        try:
            if as_nobody:
                os.seteuid(NOBODY)
            content = pickle.dumps(work())
            with os.fdopen(writer, "wb") as pipe:
                pipe.write(content)
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        content = pipe.read()
    _, status = os.waitpid(child, 0)
    if status or not content:
        raise RuntimeError(f"the process ended with {status}")
    return pickle.loads(content)  # noqa: S301 - from our own child


def run(*arguments: object) -> Shown:
    """Run a verb in this process."""
    from run import main

    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main([str(argument) for argument in arguments], standalone_mode=False) or 0
        except SystemExit as stopped:
            code = int(stopped.code or 0)
        except BaseException as error:
            import click

            if isinstance(error, click.ClickException):
                error.show(err)
                code = error.exit_code
            else:
                code = -1
                err.write("".join(traceback.format_exception(error)))
    return Shown(int(code), out.getvalue(), err.getvalue())


def load_all() -> None:
    """Import what takes long, and make the tiny network known."""
    from models.backend.load import load_backend

    load_backend()
    for name in HEAVY:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    import keras

    from tests.models import samples

    vars(keras.applications)["TinyNet"] = samples.TinyNet


def verb(*arguments: object, as_nobody: bool = False) -> Shown:
    """Run a verb in a child of this process, which nothing that others have computed or cached can hold up."""
    try:
        return forked(lambda: run(*arguments), as_nobody=as_nobody)
    except RuntimeError as died:
        return Shown(-1, "", str(died))


def must(*arguments: object) -> Shown:
    """Run a verb that must succeed."""
    done = verb(*arguments)
    if done.code:
        raise RuntimeError(f"{' '.join(map(str, arguments))}: {done.code}\n{done.out}\n{done.err}")
    return done


def _interrupted(*arguments: object) -> None:
    """Run a training that is stopped after two epochs, with a checkpoint of each."""
    from models.heads import checkpoints
    from models.train import fit

    checkpoints.SECONDS, checkpoints.SHARE = 0.0, 0
    written, finished = checkpoints.Keeper.after_epoch, fit.write_checkpoint

    def stop(keeper: Any) -> None:
        written(keeper)
        if keeper.group.epochs == 2:
            raise KeyboardInterrupt

    def stop_keras(network: Any, state: Any, *rest: Any) -> None:
        finished(network, state, *rest)
        if state.epochs == 2:
            raise KeyboardInterrupt

    mock.patch.object(checkpoints.Keeper, "after_epoch", stop).start()
    mock.patch.object(fit, "write_checkpoint", stop_keras).start()
    done = run(*arguments)
    if done.code != 130:
        raise RuntimeError(f"{arguments} was not interrupted: {done}")


def archive(folder: Path) -> None:
    """Pack a folder, or file, as Kaggle does, and remove it."""
    with zipfile.ZipFile(folder.with_name(f"{folder.name}.zip"), "w") as packed:
        paths = [folder] if folder.is_file() else sorted(folder.rglob("*"))
        for path in paths:
            packed.write(path, path.relative_to(folder.parent))
    shutil.rmtree(folder) if folder.is_dir() else folder.unlink()


def build(base: Path) -> None:
    """Make `site/kaggle` and `site/ws` in a folder; to be signed in to a Kaggle of our own."""
    kaggle, here = base / "site" / "kaggle", ("--workspace", base / "site" / "ws")
    from tests.models import samples

    forked(lambda: samples.TinyNet().save_weights(base / "tinynet_notop.weights.h5"))
    (base / "recipes.toml").write_text(RECIPES.format(base / "tinynet_notop.weights.h5"))
    must("data", "simulate", "--to", kaggle, "--train", 48, "--test", 20, "--size", 24, "--rare-boost", 8)
    (kaggle / "simulated_test_labels.csv").unlink()  # or nothing could be submitted
    for name in (CHIPS, TABLE, SAMPLE):
        archive(kaggle / name)
    must("data", "prepare", "--from", kaggle, *here)
    must("folds", "--k", 2, "--seed", 0, *here)
    tiny = ("--recipes", base / "recipes.toml", "--input-size", 16, "--views", "flips")
    must("train", "--models", "baseline", "--name", "pixels", *QUICK, *here)
    must("train", "--models", "tiny", "--name", "heads", *tiny, "--seeds", 2, *here)
    _unfinished(tiny, here)
    must("thresholds", "--model", "pixels", "--trials", 4, *here)
    must("compare", "--members", "pixels,heads", "--methods", "mean", *here)
    must("blend", "--members", "pixels,heads", "--name", "mean", "--rule", "optuna", "--trials", 4, *here)
    must("blend", "--members", "pixels,heads", "--name", "stack", "--method", "ridge", "--rule", "fixed", *here)
    must("tune", "--model", "tiny", *tiny, "--name", "tuned", "--trials", 2, "--dropout", ".1,.2", *here)
    must("auto", "--recipes", base / "recipes.toml", "--models", "tiny", "--weights", base, "--minutes", 0.2, *here)
    must("adversarial", "heads", *here)
    must("pseudo", "labels", "--from", "heads", *here)
    must("report", *here)
    for name in ("model.keras", "model.onnx", "model.zip"):
        must("export", "--model", "pixels", "--output", base / "site" / "ws" / name, *here)
    must("scores", "export", "stack", "--output", base / "site" / "ws" / "scores.npz", *here)
    must("submit", "mean", "--message", "mean", *here)
    must("submissions", "sync", *here)


def _unfinished(tiny: Sequence[object], here: Sequence[object]) -> None:
    def heads() -> None:
        _interrupted("fold", "--fold", 0, "--model", "tiny", "--name", "half-heads", *tiny, *here)

    def pixels() -> None:
        _interrupted("fold", "--fold", 0, "--model", "baseline", "--name", "half-pixels", *QUICK, "--epochs", 3, *here)

    forked(heads)
    forked(pixels)


def signed_in(server: kaggle_server.KaggleServer, base: Path) -> None:
    """Let the official client of this process talk to a Kaggle of our own."""
    from kagglesdk import kaggle_env

    (base / "home").mkdir(exist_ok=True)
    os.environ |= {"HOME": str(base / "home"), "KAGGLE_API_TOKEN": kaggle_server.TOKEN}
    kaggle_env._env_to_endpoint[kaggle_env.KaggleEnv.PROD] = server.url
