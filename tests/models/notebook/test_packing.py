"""The whole of it: a notebook made of a trained blend, run where nothing is there but what Kaggle has."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from competition.common.errors import UserError
from competition.kernels.wheels import kaggles_image
from competition.spec.load import load
from competition.workspace import Workspace
from models.notebook.packing import pack_model
from models.train.run_jobs import run_jobs
from submissions.choose.blending import make_blend
from submissions.choose.candidates import make_candidates
from submissions.notebook.make import Asked, Made, make_notebook
from submissions.submit.write import write_decided
from tests.models.samples import frozen, tiny_job
from tests.submissions.notebook.refusing import BEFORE

PACKAGES = kaggles_image().packages | {"openvino"}
pytestmark = pytest.mark.slow  # trains, converts and runs networks


@pytest.fixture(scope="module")
def made(trained_root, tiny_weights, tmp_path_factory) -> tuple[Made, bytes]:
    """A notebook of the blend of a network trained from scratch and of heads on features, and what the blend wrote."""
    root = tmp_path_factory.mktemp("packed") / "workspace"
    shutil.copytree(trained_root, root)
    workspace = Workspace(root, load("planet"))
    with pytest.MonkeyPatch.context() as patch:
        import keras

        from tests.models.samples import TinyNet

        patch.setattr(keras.applications, "TinyNet", TinyNet, raising=False)
        for fold in range(3):
            job = tiny_job(workspace, fold, **frozen(tiny_weights))
            run_jobs([type(job)(workspace, job.store, "heads", job.recipe, fold)])
        candidates = make_candidates(["tiny", "heads"], workspace)
        blend = make_blend("both", candidates, workspace, method="vote", rule="fixed")
        written = write_decided(blend.test, blend.evaluation.fitted, workspace, blend.provenance)
        asked = Asked("somebody", False, 1.0, None, False, replace(kaggles_image(), packages=PACKAGES))
        notebook = make_notebook("both", workspace, root / "notebooks" / "both", pack_model, asked)
    return notebook, written.path.read_bytes()


def run_cells(made: Made, data: Path, folder: Path) -> str:
    """Run a notebook's code where just what is allowed can be imported, and return what it printed."""
    there = folder / "input"
    there.mkdir()
    (there / "competition").symlink_to(data)
    (there / "networks").symlink_to(made.folder / "dataset")
    (folder / "working").mkdir()
    cells = json.loads((made.folder / "both.ipynb").read_text())["cells"]
    code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    code = code.replace("/kaggle/", f"{folder}/")
    done = subprocess.run(
        [sys.executable, "-P", "-c", BEFORE + code], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_notebook_writes_what_the_blend_wrote_and_imports_nothing_of_training(made, simulated, tmp_path) -> None:
    notebook, expected = made
    printed = run_cells(notebook, simulated, tmp_path)
    assert "does not run" not in printed
    assert (tmp_path / "working/submission.csv").read_bytes() == expected
    assert [path.name for path in (tmp_path / "working").iterdir()] == ["submission.csv"]


def test_a_hidden_test_of_other_ids_and_size_is_answered(made, simulated, tmp_path) -> None:
    notebook, expected = made
    known = dict(line.split(",") for line in expected.decode().splitlines()[1:])
    hidden, data = [name for name in known if name.startswith("test")][:5], tmp_path / "hidden"
    (data / "test-jpg").mkdir(parents=True)
    for name in hidden:
        shutil.copy(simulated / "test-jpg" / f"{name}.jpg", data / "test-jpg" / f"new_{name}.jpg")
    rows = [f"new_{name},primary" for name in reversed(hidden)] + ["lost_1,primary"]
    (data / "sample_submission_v2.csv").write_text("\n".join(["image_name,tags", *rows]) + "\n")
    run_cells(notebook, data, tmp_path)
    answers = dict(line.split(",") for line in (tmp_path / "working/submission.csv").read_text().splitlines()[1:])
    assert list(answers) == [row.partition(",")[0] for row in rows]
    assert {name: answers[f"new_{name}"] for name in hidden} == {name: known[name] for name in hidden}


def test_the_folder_is_what_kaggles_client_takes(made) -> None:
    notebook, _ = made
    kernel = json.loads((notebook.folder / "kernel-metadata.json").read_text())
    dataset = json.loads((notebook.folder / "dataset/dataset-metadata.json").read_text())
    assert kernel["enable_internet"] is False
    assert kernel["dataset_sources"] == [dataset["id"]] == ["somebody/both-networks"]
    assert kernel["competition_sources"] == ["planet-understanding-the-amazon-from-space"]
    assert (notebook.folder / kernel["code_file"]).is_file()
    files = [path for path in notebook.folder.rglob("*") if path.is_file()]
    assert not [path for path in files if path.suffix in (".zip", ".pkl", ".pyc", ".keras", ".h5")]
    assert not any(notebook.lacking.values())
    assert set(notebook.plan.models) == {"tiny", "heads"}


@pytest.mark.parametrize(("largest", "difference"), [(0.01, r"\d"), (float("nan"), "nan")])
def test_networks_that_do_not_give_the_models_scores_are_not_packed(
    made, tiny_net, monkeypatch, tmp_path, largest: float, difference: str
) -> None:
    workspace = Workspace(made[0].folder.parent.parent, load("planet"))
    monkeypatch.setattr("models.notebook.packed.LARGEST", largest)  # of features, which are cut off there
    with pytest.raises(UserError, match=f"'heads' scores otherwise than it has, by up to {difference}"):
        pack_model(workspace, "heads", tmp_path / "heads")
