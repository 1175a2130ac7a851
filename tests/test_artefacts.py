"""`data check --artefacts` names every file that is not as it was written, with the command that mends it."""

from __future__ import annotations

import errno
import pkgutil
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from competition.checksums import checksum, write_sum
from competition.common.records import write_record
from folds.store.score_store import ScoreStore
from models.backend.seals import onnx_seal, seal
from submissions.members.blend_files import write_blend
from submissions.pseudo.make import make_pseudo
from submissions.push.log import Push, PushLog
from submissions.submit.entry import Entry
from submissions.submit.ledger import Ledger
from submissions.submit.provenance import write_provenance
from tests.submissions.samples import make_workspace
from tests.test_chain import ROOT, run, run_json


def weights(path: Path) -> None:
    """Write a sealed file of weights."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file["layers/dense/vars/0"] = np.arange(600, dtype=np.float32)
    seal(path)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with an artefact of almost every kind, all of them whole."""
    workspace = make_workspace(tmp_path_factory.mktemp("kept"), models=("a",), num_chips=60)
    root, model = workspace.root, workspace.runs / "a"
    run("folds", "--k", 3, "--seed", 0, "--workspace", root)  # the same, with what says how it was made
    oof = ScoreStore.of(workspace).join("a")
    write_blend(workspace.blends / "b", oof.oof, oof.test, {
        "method": "mean", "union": [], "members": [{"name": "a", "kind": "model"}], "left_out": [],
        "labels": list(workspace.competition.labels), "fold_digest": None,
    })  # fmt: skip
    make_pseudo("p", "a", workspace)
    write_record(model / "recipe.json", {"backbone": "x"}, version=1)
    write_record(model / "fold0" / "history.json", {"history": []}, version=1)
    write_record(model / "cuts.json", {"cuts": {}}, version=1)
    weights(model / "fold0" / "network.weights.h5")
    checkpoint, bank = model / "fold1" / "checkpoints" / "epoch00001", workspace.cache / "features" / "net-16px-0"
    rows = np.random.default_rng(0).random((3, 400)).astype(np.float32)
    for path, values in ((checkpoint / "weights.npy", rows), (bank / "identity.npy", rows.astype(np.float16))):
        path.parent.mkdir(parents=True)
        np.save(path, values)
    write_sum(checkpoint / "sums.json", rows)
    write_record(bank / "bank.json", {"backbone": "net"}, version=1)
    write_record(bank / "done.json", {"identity": 3}, version=1)
    write_record(bank / "sums.json", {"identity": checksum(rows.astype(np.float16))}, version=1)
    (root / "model.onnx").write_bytes(b"\x08\x07" + bytes(500) + onnx_seal(b"\x08\x07" + bytes(500)))
    (workspace.submissions).mkdir()
    (workspace.submissions / "s.csv").write_text("image_name,tags\n" + "test_0,clear\n" * 20)
    write_provenance(workspace.submissions / "s.csv", {"figures": [], "members": []})
    PushLog(workspace.notebooks / "b.pushed.json").begin(Push("a/b", "a/c", "1" * 64, "2" * 64, begun="2026-11-28"))
    Ledger.of(workspace).begin(Entry(competition=workspace.competition.slug or "", name="s", size=1, message="m"))
    return root


@pytest.fixture
def kept(whole: Path, tmp_path: Path) -> Path:
    shutil.copytree(whole, tmp_path / "ws")
    return tmp_path / "ws"


def test_a_whole_workspace_is_said_to_be(kept: Path) -> None:
    shown = run_json("data", "check", "--artefacts", "--workspace", kept)
    assert shown["ok"]
    assert {finding["state"] for finding in shown["findings"]} == {"no digest"}
    assert shown["files"]["whole"] > 12
    assert "none is damaged" in run("data", "check", "--artefacts", "--workspace", kept).splitlines()[-1]


@pytest.mark.parametrize(
    ("name", "mending"),
    {
        "data/layout.json": "data prepare",
        "data/train_v2.csv": "",
        "folds.csv": "folds --k",
        "folds.json": "folds --k",
        "runs/a/recipe.json": "train --models a",
        "runs/a/cuts.json": "thresholds --model a",
        "runs/a/fold0/scores.json": "fold --model a --fold 0 --restart",
        "runs/a/fold2/heldout.npz": "fold --model a --fold 2 --restart",
        "runs/a/fold0/history.json": "fold --model a --fold 0 --restart",
        "runs/a/fold0/network.weights.h5": "fold --model a --fold 0 --restart",
        "runs/a/fold1/checkpoints/epoch00001/weights.npy": "fold --model a --fold 1 --restart",
        "cache/features/net-16px-0/identity.npy": "makes it again",
        "blends/b/blend.json": "blend --members MEMBERS --name b",
        "blends/b/test.npz": "scores import FILES --name b",
        "pseudo/p/pseudo.json": "pseudo p --from BLEND",
        "pseudo/p/fold1.npz": "pseudo p --from a",
        "submissions/s.csv": "To write the submission again, run",
        "model.onnx": "export --model MODEL --output",
        "notebooks/b.pushed.json": "what is on Kaggle is looked at before anything is pushed",
        "ledger.db": "submissions sync",
        "ledger.json": "what Kaggle lists is found without it",
    }.items(),
)
def test_each_damaged_file_is_named_with_what_mends_it(kept: Path, name: str, mending: str) -> None:
    path = kept / name
    content = bytearray(path.read_bytes())
    place = 30 if name == "ledger.db" else len(content) // 2
    if name.endswith(".h5"):
        place = bytes(content).index(np.arange(600, dtype=np.float32).tobytes()) + 1200
    content[place] ^= 4
    path.write_bytes(content if name != "ledger.db" else b"")
    if name == "data/train_v2.csv":  # which this workspace has without a stamp
        path.unlink()
    found = run_json("data", "check", "--artefacts", "--workspace", kept, code=1)
    (damaged, *_) = [each for each in found["findings"] if each["state"] == "damaged"]
    assert path.name in damaged["said"] or path.parent.name in damaged["said"]
    assert mending in damaged["said"]
    assert len(damaged["said"]) < 1000
    shown = run("data", "check", "--artefacts", "--workspace", kept, code=1)
    assert re.search(r"^\d+ artefacts in .*: 1 damaged or missing\.$", shown.splitlines()[-1])


@pytest.mark.parametrize(
    ("opens", "name"),
    [
        ("competition.common.records:open_ordinary", "recipe.json"),
        ("numpy:load", "identity.npy"),
        ("pathlib:Path.read_bytes", "model.onnx"),
    ],
)
def test_what_cannot_be_read_is_not_said_to_be_damaged(
    kept: Path, opens: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = pkgutil.resolve_name(opens)

    def refused(path: Path, *more: Any, **options: Any) -> Any:
        if Path(path).name == name:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return opened(path, *more, **options)

    monkeypatch.setattr(opens.replace(":", "."), refused)
    found = run_json("data", "check", "--artefacts", "--workspace", kept, code=1)
    (finding,) = [each for each in found["findings"] if each["state"] not in ("no digest", "whole")]
    assert finding["state"] == "unreadable"
    assert re.fullmatch(rf"Cannot read .*{name}: Permission denied\. Allow it \(chmod u\+r\), or .*", finding["said"])
    shown = run("data", "check", "--artefacts", "--workspace", kept, code=1)
    assert shown.splitlines()[-1].endswith(": 1 cannot be read.")


def test_only_exported_models_are_taken_for_such(kept: Path) -> None:
    before = run_json("data", "check", "--artefacts", "--workspace", kept)
    for name in ("train.zip", "others.keras"):
        with zipfile.ZipFile(kept / name, "w") as archive:
            archive.writestr("labels.csv", "a,b")
    (kept / "others.onnx").write_bytes(b"\x08\x07" + bytes(500))
    assert run_json("data", "check", "--artefacts", "--workspace", kept) == before
    with zipfile.ZipFile(kept / "ours.zip", "w") as archive:
        archive.writestr("planet.json", "{}")
    content = (kept / "ours.zip").read_bytes()
    (kept / "ours.zip").write_bytes(content[:-10])
    assert "ours.zip is damaged" in run("data", "check", "--artefacts", "--workspace", kept, code=1)


def test_what_cannot_be_looked_at_is_said(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)  # it comes with Keras
    shown = run("data", "check", "--artefacts", "--workspace", kept)
    assert "network.weights.h5 was not looked at: h5py is not installed" in shown


@pytest.mark.slow
def test_it_needs_no_keras(kept: Path) -> None:
    code = f"""
import sys; sys.modules["h5py"] = sys.modules["keras"] = sys.modules["tensorflow"] = None
import run; run.main(["data", "check", "--artefacts", "--workspace", {str(kept)!r}])"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_an_empty_folder_keeps_nothing(tmp_path: Path) -> None:
    assert "keeps nothing yet" in run("data", "check", "--artefacts", "--workspace", tmp_path)
