"""MLflow: the runs of one experiment, in its folder or at its server.

Its file store is asked for by name, as MLflow itself maintains it only and prefers SQLite by now: a folder needs no
driver, and shows by itself what is in it. `MLFLOW_TRACKING_URI=sqlite:///...` or a server serve as well.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import unquote, urlsplit, urlunsplit

from competition.common.errors import UserError
from competition.common.text import without_secrets
from competition.tracking.entry import Entry, Figure

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

T = TypeVar("T")
URI = "MLFLOW_TRACKING_URI"
WEB = ("http", "https")
KINDS = ("file", *WEB, "sqlite", "postgresql", "mysql", "mssql", "databricks")  # of addresses that MLflow takes
KEY, GROUP, OWNER = "planet_key", "planet_group", "planet_workspace"  # tags by which a result is known again
RUNNING, FINISHED = "RUNNING", "FINISHED"
SETTINGS = {  # of MLflow, where the environment has no other
    "MLFLOW_ALLOW_FILE_STORE": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",  # or it would tell its makers of each run
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # seven, with growing pauses, would keep a training waiting for minutes
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
}
MOST_FIGURES, MOST_SETTINGS = 1000, 100  # that a server takes at once
LONGEST_NAME, LONGEST_VALUE = 250, 500  # characters that every version takes
SHOWN = 200  # characters of a reason


class MlflowStore:
    """The runs of one experiment.

    Args:
        folder: of the file store, where the environment names no other place.
        experiment: name of the experiment; it is made if need be.
        owner: what tells this workspace from those of others.

    Raises:
        UserError: if MLflow is not installed, or cannot be had there.
    """

    def __init__(self, folder: Path, experiment: str, owner: str) -> None:
        if find_spec("mlflow") is None:
            raise UserError("--track mlflow needs MLflow, which is not installed. Run 'pip install -e \".[mlflow]\"'.")
        for name, value in SETTINGS.items():
            os.environ.setdefault(name, value)
        self._owner, self._uri = owner, address_of(os.environ.get(URI) or folder.absolute().as_uri())
        with self._reached():
            from mlflow import MlflowClient

            logging.getLogger("mlflow").setLevel(logging.ERROR)  # an error is raised; what it notes is for its makers
            self._client: MlflowClient = MlflowClient(tracking_uri=self._uri)
            found = self._client.get_experiment_by_name(experiment)
            if found is not None and found.lifecycle_stage != "active":
                raise UserError(f"The experiment '{experiment}' was deleted in MLflow. Restore it there.")
            self._experiment = self._client.create_experiment(experiment) if found is None else found.experiment_id

    @property
    def place(self) -> str:
        """Where it is, for people: of a database, which may need a password, its kind alone."""
        scheme = urlsplit(self._uri).scheme
        return self._uri if scheme in ("", "file", "sqlite", *WEB) else f"the {scheme} database of {URI}"

    def known(self, group: str) -> set[str]:
        """Return the keys of what was kept whole; runs that a killed process has left half written are removed.

        Of this workspace only: another's may be in the making.

        Raises:
            UserError: if MLflow cannot be had.
        """
        with self._reached():
            runs = list(self._runs(group))
            for run in runs:
                if run.info.status == RUNNING and run.data.tags.get(OWNER) == self._owner:
                    self._client.delete_run(run.info.run_id)
            return {run.data.tags.get(KEY, "") for run in runs if run.info.status == FINISHED}

    def write(self, group: str, key: str, entry: Entry) -> None:
        """Write an entry as a run; that it is finished is said last.

        Args:
            group: what it is one of, such as the model.
            key: by which it is known again.
            entry: what is written.

        Raises:
            UserError: if MLflow cannot be had.
        """
        with self._reached():
            from mlflow.entities import Metric, Param

            tags = {**entry.tags, GROUP: group, KEY: key, OWNER: self._owner}
            run = self._client.create_run(
                self._experiment, start_time=_milliseconds(entry.began), run_name=entry.name, tags=tags
            ).info.run_id
            for figures in _parts(entry.figures, MOST_FIGURES):
                metrics = [Metric(named(one.name), float(one.value), _when(one, entry), one.step) for one in figures]
                self._client.log_batch(run, metrics=metrics)
            for settings in _parts(list(entry.settings.items()), MOST_SETTINGS):
                params = [Param(named(name), value[:LONGEST_VALUE]) for name, value in settings]
                self._client.log_batch(run, params=params)
            for name, path in entry.files.items():
                self._client.log_artifact(run, str(path), name.rpartition("/")[0] or None)
            for name, text in entry.texts.items():
                self._client.log_text(run, text, name)
            self._client.set_terminated(run, FINISHED, _milliseconds(entry.ended))

    def _runs(self, group: str) -> Iterator[Run]:
        token = None
        while True:
            page = self._client.search_runs(
                [self._experiment], f"tags.{GROUP} = '{group}'", max_results=1000, page_token=token
            )
            yield from page
            if not (token := page.token):
                return

    @contextmanager
    def _reached(self) -> Iterator[None]:
        """Turn whatever goes wrong into one line without a secret.

        The error itself is not passed on as the cause: MLflow writes addresses into it as they were given, with
        passwords, and `--debug` would show them. Nor is what it logs of damaged runs, with their tracebacks.
        """
        before = logging.root.manager.disable
        logging.disable(logging.WARNING)
        try:
            yield
        except UserError:
            raise
        except Exception as error:  # of MLflow, of `requests`, of a database's driver, of the disk
            line = f"MLflow cannot be used at {self.place}: {_reason(error, self._uri)}."
        else:
            return
        finally:
            logging.disable(before)
        raise UserError(line) from None


def address_of(given: str) -> str:
    """Return the address of a server without the name and password in it, which MLflow is given by the environment.

    It prints and keeps addresses as they were given.

    Raises:
        UserError: if it is none, which MLflow might take for a folder; the line does not repeat it.
    """
    try:
        parts, kind = urlsplit(given.strip()), given.strip().partition(":")[0].partition("+")[0]
        is_web = parts.scheme in WEB
        is_odd = is_web and (not parts.hostname or parts.query or parts.fragment or ";" in parts.path)
        is_odd = is_odd or (not parts.scheme and (parts.netloc or "@" in given or not given.strip()))
        is_odd = is_odd or (parts.scheme and kind not in KINDS)
        _ = parts.port
    except ValueError:
        is_odd = True
    if is_odd:
        expected = "expected a folder, sqlite:///FILE, or http://HOST:PORT and a path at most"
        raise UserError(f"{URI} is no address: {expected}.") from None
    if not is_web or "@" not in parts.netloc:
        return given.strip()
    credentials = {"MLFLOW_TRACKING_USERNAME": parts.username, "MLFLOW_TRACKING_PASSWORD": parts.password}
    os.environ.update({name: unquote(value) for name, value in credentials.items() if value})
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _reason(error: BaseException, uri: str) -> str:
    """Return what went wrong; of a connection, whatever is made of it on the way, that there was none."""
    cause: BaseException | None = error
    while cause is not None:
        if type(cause).__module__.startswith("requests.") and isinstance(cause, OSError):
            return f"no answer ({type(cause).__name__})"
        cause = cause.__cause__ or cause.__context__
    if urlsplit(uri).scheme not in ("", "file", "sqlite", *WEB):
        return type(error).__name__  # its text may hold the password, however that is written
    said = " ".join(without_secrets(str(error)).split()) or type(error).__name__
    return said[:SHOWN].rstrip(". ")


def named(text: str) -> str:
    """Return a name as MLflow takes it: without commas and other marks; "/" puts it into a group."""
    parts = text.replace(", ", " - ").split("/")
    return "/".join(re.sub(r"[^\w\-. ]", "_", part).strip(" .") or "_" for part in parts)[:LONGEST_NAME]


def _parts(values: Sequence[T], most: int) -> Iterator[Sequence[T]]:
    return (values[start : start + most] for start in range(0, len(values), most))


def _when(figure: Figure, entry: Entry) -> int:
    return _milliseconds(entry.ended if figure.when is None else figure.when)


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
