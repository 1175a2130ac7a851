"""MLflow's runs: whole or removed, and no secret in any line."""

from __future__ import annotations

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from competition.common.errors import UserError
from competition.common.text import without_secrets
from competition.tracking import mlflow_store
from competition.tracking.entry import Entry, Figure
from competition.tracking.mlflow_store import MlflowStore, named

PASSWORD = "s3cret-word"


def entry_of(path: Path) -> Entry:
    path.write_text("{}")
    return Entry(
        name="m fold 0",
        began=100.0,
        ended=200.0,
        settings={"epochs": "3", "nothing": "", "long": "x" * 9999, **{f"value {n}": "1" for n in range(120)}},
        tags={"fold table": "abc"},
        figures=[
            Figure("heldout F2", 0.5),
            *(Figure("epochs/loss", 1 / step, step, 100.0 + step) for step in range(1, 1200)),
            Figure("cross-fitted/mean, fixed 0.2", 0.25),
            Figure("cross-fitted/mean", 0.75),
        ],
        files={"seed1/history.json": path},
        texts={"table.csv": "a,b\n"},
    )


@pytest.fixture
def store(tmp_path: Path) -> MlflowStore:
    pytest.importorskip("mlflow", reason='MLflow is not installed: pip install -e ".[mlflow]"')
    return MlflowStore(tmp_path / "mlruns", "planet", "here")


def test_a_run_holds_what_the_entry_says(store: MlflowStore, tmp_path: Path) -> None:
    store.write("m", "key", entry_of(tmp_path / "history.json"))
    client = store._client
    (run,) = client.search_runs([client.get_experiment_by_name("planet").experiment_id])
    assert (run.info.run_name, run.info.status) == ("m fold 0", "FINISHED")
    assert (run.info.start_time, run.info.end_time) == (100_000, 200_000)
    assert run.data.metrics["heldout F2"] == 0.5
    assert run.data.metrics["cross-fitted/mean - fixed 0.2"] == 0.25
    assert (run.data.params["epochs"], run.data.params["nothing"], len(run.data.params)) == ("3", "", 123)
    assert run.data.tags["fold table"] == "abc"
    history = client.get_metric_history(run.info.run_id, "epochs/loss")
    assert [point.step for point in history] == list(range(1, 1200))
    assert (history[1].timestamp, history[1].value) == (102_000, 0.5)
    assert [found.path for found in client.list_artifacts(run.info.run_id)] == ["seed1", "table.csv"]
    assert [found.path for found in client.list_artifacts(run.info.run_id, "seed1")] == ["seed1/history.json"]


def test_what_is_known_is_what_was_finished_and_half_a_run_is_removed(
    store: MlflowStore, tmp_path: Path, monkeypatch
) -> None:
    entry = entry_of(tmp_path / "history.json")
    store.write("m", "whole", entry)
    store.write("other", "foreign", entry)
    with monkeypatch.context() as context:
        context.setattr(store._client, "set_terminated", lambda *_: None)  # killed before it could be said
        store.write("m", "half", entry)
        theirs = MlflowStore(tmp_path / "mlruns", "planet", "elsewhere")
        context.setattr(theirs._client, "set_terminated", lambda *_: None)
        theirs.write("m", "being written", entry)
    assert store.known("m") == {"whole"}
    client = store._client
    names = [run.data.tags[mlflow_store.KEY] for run in client.search_runs([store._experiment])]
    assert sorted(names) == ["being written", "foreign", "whole"]


def test_without_the_package_one_line_says_how_to_install_it(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(mlflow_store, "find_spec", lambda _: None)
    with pytest.raises(
        UserError, match=r"needs MLflow, which is not installed\. Run 'pip install -e \"\.\[mlflow\]\"'"
    ):
        MlflowStore(tmp_path / "mlruns", "planet", "here")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        (f"http://me:{PASSWORD}@127.0.0.1:9", r"http://127\.0\.0\.1:9: no answer \(ConnectionError\)\."),
        (f"nonsense://me:{PASSWORD}@host", "is no address: expected a folder"),
        ("{tmp}/file/mlruns", r"file/mlruns: .*Not a directory"),
    ],
)
def test_a_place_that_cannot_be_used_is_one_line_without_a_secret(uri: str, reason: str, tmp_path, monkeypatch) -> None:
    pytest.importorskip("mlflow", reason='MLflow is not installed: pip install -e ".[mlflow]"')
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(mlflow_store.URI, uri.format(tmp=tmp_path))
    with pytest.raises(UserError, match=reason) as caught:
        MlflowStore(tmp_path / "mlruns", "planet", "here")
    line = str(caught.value)
    assert PASSWORD not in line
    assert "\n" not in line
    assert len(line) < 400
    # With --debug the traceback is shown, and the causes that it lists.
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


class Server(BaseHTTPRequestHandler):
    """Answers as MLflow's server, and keeps the credentials that it was shown."""

    def do_GET(self) -> None:
        self.server.shown.append(self.headers["Authorization"])
        experiment = {"experiment_id": "1", "name": "planet", "lifecycle_stage": "active"}
        info = {"run_id": "r", "run_uuid": "r", "run_name": "m", "experiment_id": "1", "status": "FINISHED"}
        answer = json.dumps({"experiment": experiment, "run": {"info": info, "data": {}}, "run_info": info}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.wfile.write(answer)

    do_POST = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


def test_a_server_is_shown_name_and_password_and_nobody_else(tmp_path: Path, monkeypatch, capfd) -> None:
    pytest.importorskip("mlflow", reason='MLflow is not installed: pip install -e ".[mlflow]"')
    monkeypatch.setenv("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "false")  # MLflow prints the addresses of runs
    with HTTPServer(("127.0.0.1", 0), Server) as server:
        server.shown = []
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        address = f"127.0.0.1:{server.server_port}"
        monkeypatch.setenv(mlflow_store.URI, f"http://me:{PASSWORD}%40@{address}")
        MlflowStore(tmp_path / "mlruns", "planet", "here").write("m", "key", Entry("m fold 0", 1.0, 2.0, {"a": "1"}))
        server.shutdown()
        thread.join()
    expected = base64.b64encode(f"me:{PASSWORD}@".encode()).decode()
    assert {*server.shown} == {f"Basic {expected}"}
    said = "".join(capfd.readouterr())
    assert address in said
    assert PASSWORD not in said


def test_a_deleted_experiment_is_named(store: MlflowStore, tmp_path: Path) -> None:
    store._client.delete_experiment(store._experiment)
    with pytest.raises(UserError, match="'planet' was deleted in MLflow"):
        MlflowStore(tmp_path / "mlruns", "planet", "here")


def test_secrets_of_addresses_and_of_the_environment_are_taken_out(monkeypatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", PASSWORD)
    assert without_secrets(f"refused {PASSWORD}") == "refused ***"


@pytest.mark.parametrize(
    "address",
    [
        f"http://user:{PASSWORD}\u2100@127.0.0.1:9", f"http://user:{PASSWORD}@[::1", f"mysql://user:{PASSWORD}'x@127.0.0.1/db",
        f"mysql+pymysql://user:{PASSWORD} x@127.0.0.1/db", f'postgresql://user:"{PASSWORD}"@h/db',
        f"postgresql://h/db?sslpassword=a&x='{PASSWORD}'", f"foo:{PASSWORD}@bar", f"http://127.0.0.1:9/;token={PASSWORD}",
        f"http://127.0.0.1:9/#{PASSWORD}", f"databricks://{PASSWORD}:x@y", f"//user:{PASSWORD}@127.0.0.1:9", "   ",
    ],
)  # fmt: skip
def test_an_address_that_cannot_be_used_is_one_line_without_its_password(
    address: str, tmp_path: Path, monkeypatch, capfd
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(mlflow_store.URI, address)
    with pytest.raises(UserError) as refused:
        MlflowStore(tmp_path / "mlruns", "planet", "here").write("m", "key", Entry("m fold 0", 1.0, 2.0))
    assert PASSWORD not in f"{refused.value}{capfd.readouterr()}"
    assert refused.value.__cause__ is None
    assert not list(tmp_path.iterdir())


def test_names_are_those_that_mlflow_takes() -> None:
    assert named("cross-fitted/mean, per-label") == "cross-fitted/mean - per-label"
    assert named("a:b/../ü (x)/") == "a_b/_/ü _x_/_"
    assert len(named("x" * 999)) == 250
