"""The verb, and the folder that it makes."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from competition.common.errors import UserError
from competition.common.records import read_record, write_record
from competition.kernels.folder import PROVENANCE
from competition.kernels.sources import copy_sources
from competition.kernels.wheels import kaggles_image
from competition.workspace import Workspace
from submissions.choose.cuts import FILE as CUTS
from submissions.members.blend_files import FORMAT
from submissions.members.exchange import export_scores, import_scores
from submissions.notebook.make import ENTRIES, cells_of, image_with
from submissions.notebook.plan import plan_of
from submissions.notebook.verbs import notebook_verb
from submissions.push.packed import folder_of
from submissions.submit.provenance import is_remade, what_is_known
from submissions.submit.write import write_decided
from tests.submissions.notebook.refusing import BEFORE
from tests.submissions.samples import blend_of, make_workspace

NEEDED = "numpy,pillow,pydantic,openvino,annotated-types,pydantic-core,typing-extensions,typing-inspection"


def pack_model(workspace: Workspace, model: str, folder: Path) -> None:
    """Pack a network that is none."""
    folder.mkdir(parents=True)
    (folder / "network0-0.xml").touch()
    (folder / "model.json").write_text(json.dumps({"recipe": {"images": "jpg"}}))


@pytest.fixture(scope="module")
def blended(tmp_path_factory) -> Workspace:
    """A workspace with the blend "both". Not to be changed."""
    workspace = make_workspace(tmp_path_factory.mktemp("blended"))
    blend_of("both", ["a", "b"], workspace, rule="fixed")
    return workspace


def run(workspace: Workspace, *arguments: object) -> str:
    given = [*map(str, arguments), "--workspace", str(workspace.root)]
    done = CliRunner().invoke(notebook_verb(pack_model), given, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def refused(workspace: Workspace, *arguments: object) -> str:
    done = CliRunner().invoke(notebook_verb(pack_model), [*map(str, arguments), "--workspace", str(workspace.root)])
    assert done.exit_code == 2, done.output
    return done.output


def test_the_name_of_a_blend_is_enough(blended: Workspace, tmp_path: Path) -> None:
    shown = run(blended, "both", "--to", tmp_path / "made", "--owner", "somebody", "--hours", "2")
    assert "predicts with 2 models, the most useful first" in shown
    assert "lacks what the notebook needs: openvino. Give --fetch" in shown
    files = {"both.ipynb", "kernel-metadata.json", "dataset", "provenance.json"}
    assert {path.name for path in (tmp_path / "made").iterdir()} == files
    networks = {path.parent.name for path in (tmp_path / "made/dataset/networks").glob("*/model.json")}
    assert networks == {"a", "b"}
    assert "= time.monotonic(), 2.0" in (tmp_path / "made/both.ipynb").read_text()
    assert not list((tmp_path / "made/dataset/sources").rglob("verbs.py"))


def test_a_folder_of_wheels_is_there(blended: Workspace, tmp_path: Path) -> None:
    made, gone = str(tmp_path / "made"), str(tmp_path / "gone")
    given = ["both", "--to", made, "--wheels", gone, "--workspace", str(blended.root)]
    done = CliRunner().invoke(notebook_verb(pack_model), given)
    assert (done.exit_code, (tmp_path / "made").exists()) == (2, False), done.output


@pytest.mark.parametrize("owner", ["a/b", "../x", "<script>", " ", "", "a\n"])
def test_an_owner_is_a_user_of_kaggle(owner: str, blended: Workspace, tmp_path: Path) -> None:
    given = ["both", "--to", str(tmp_path / "made"), "--owner", owner, "--workspace", str(blended.root)]
    done = CliRunner().invoke(notebook_verb(pack_model), given)
    assert "--owner takes a user name on Kaggle" in f"{done.output} {done.exception}"
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("hours", ["nan", "inf", "0"])
def test_hours_are_a_number(hours: str, blended: Workspace, tmp_path: Path) -> None:
    given = ["both", "--to", str(tmp_path / "made"), "--hours", hours, "--workspace", str(blended.root)]
    done = CliRunner().invoke(notebook_verb(pack_model), given)
    assert (done.exit_code, (tmp_path / "made").exists()) == (2, False), done.output


def test_what_is_packed_elsewhere_is_what_the_next_command_pushes(
    blended: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(blended.root, tmp_path / "workspace")
    workspace = Workspace(tmp_path / "workspace", blended.competition)
    monkeypatch.chdir(tmp_path)
    for to in ([], ["--to", "both"]):
        shown = run(workspace, "both", *to, "--owner", "somebody", "--have", NEEDED)
    (pushed,) = re.findall("notebook push (.*) --workspace", shown)
    assert folder_of(pushed, workspace) == tmp_path / "both"


def test_what_lacks_is_brought_by_a_command_with_the_flags_that_were_given(blended: Workspace, tmp_path: Path) -> None:
    shown = run(blended, "both", "--to", tmp_path / "made", "--gpu", "--hours", "2")
    flags = f"--owner YOU --gpu --to {tmp_path / 'made'} --hours 2 --fetch"
    assert f"Next: python run.py notebook both {flags}\n" in shown.replace(f" --workspace {blended.root}", "")


def test_without_openvino_the_command_that_brings_it_is_said_before_any_work(
    blended: Workspace, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "openvino" else pytest.fail(name))
    monkeypatch.setattr("submissions.notebook.make.plan_of", lambda *_: pytest.fail("it began to work"))
    said = refused(blended, "both", "--to", tmp_path / "made")
    assert said.endswith("needs openvino, which is not installed. Run 'pip install -e \".[fast]\"'.\n")


def test_a_notebook_that_is_not_there_is_not_pushed_for_that_reason(blended: Workspace, monkeypatch) -> None:
    monkeypatch.setattr(Workspace, "is_made_up", property(lambda _: True))
    assert "notebooks/nosuch holds no notebook. Run" in refused(blended, "push", "nosuch")


def test_flags_may_come_before_the_name(blended: Workspace, tmp_path: Path) -> None:
    run(blended, "--to", tmp_path / "made", "--owner", "somebody", "--hours", "2", "both")
    assert "= time.monotonic(), 2.0" in (tmp_path / "made/both.ipynb").read_text()


def test_a_blend_that_is_called_like_a_command_is_packed_by_pack(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path)
    blend_of("push", ["a", "b"], workspace, rule="fixed")
    done = CliRunner().invoke(notebook_verb(pack_model), ["push", "--workspace", str(workspace.root)])
    assert done.exit_code == 2
    assert "Missing argument 'NAME'. A blend called 'push' is packed by `notebook pack push`." in done.output
    assert not workspace.notebooks.exists()
    assert "predicts with 2 models" in run(workspace, "pack", "push", "--owner", "somebody")
    assert (workspace.notebooks / "push" / "push.ipynb").is_file()


def test_a_model_by_its_cuts_will_do(blended: Workspace, tmp_path: Path) -> None:
    assert "predicts with 1 model" in run(blended, "a", "--to", tmp_path / "made", "--owner", "somebody")


def test_how_it_was_made_is_kept_beside_what_kaggle_gets(tmp_path: Path) -> None:
    workspace, packed = make_workspace(tmp_path), {}
    blend_of("both", ["a", "b"], workspace, rule="fixed")
    for name in ("both", "a"):
        run(workspace, name, "--owner", "somebody")
        packed[name] = read_record(workspace.notebooks / name / PROVENANCE, dict, version=FORMAT)
    kept = read_record(workspace.blends / "both/blend.json", dict, version=FORMAT)
    assert (packed["both"], what_is_known(packed["both"])["members"]) == (kept, ("a", "b"))
    assert what_is_known(packed["a"])["members"] == ("a",)
    assert what_is_known(packed["a"])["cross_fitted"] is None  # what one label of every group costs was not measured
    assert not any(is_remade(made, workspace) for made in packed.values())
    (workspace.runs / "a" / CUTS).write_text("{}")
    assert is_remade(packed["a"], workspace)


def test_a_blend_whose_submission_was_decided_otherwise_is_refused(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path)
    made = {rule: blend_of("both", ["a", "b"], workspace, rule=rule) for rule in ("uniform", "fixed")}
    for rule, blend in made.items():
        write_decided(blend.test, blend.evaluation.fitted, workspace, blend.provenance)
        given = ["both", "--to", str(tmp_path / rule), "--workspace", str(workspace.root)]
        done = CliRunner().invoke(notebook_verb(pack_model), given)
        assert (done.exit_code == 0) == (rule == "fixed")  # as the blend is now
        assert (tmp_path / rule).exists() == (rule == "fixed")
        if rule == "uniform":
            assert "'both' would write another file than" in " ".join(done.output.split())


def test_packages_are_for_the_pythons_that_are_named() -> None:
    assert image_with((), ()) == kaggles_image()
    assert image_with((), ("3.14",)).pythons == ("3.14",)
    with pytest.raises(UserError, match=r"--python takes versions such as 3\.12, received 'three'"):
        image_with((), ("three",))


@pytest.mark.parametrize("brought", [True, False])
def test_a_notebook_says_which_python_it_finds_and_takes_the_packages_for_it(brought: bool, tmp_path: Path) -> None:
    python = f"{sys.version_info[0]}.{sys.version_info[1]}"
    for name in ("3.1", python) if brought else ("3.1",):
        (tmp_path / "data/packages" / name).mkdir(parents=True)
        (tmp_path / "data/packages" / name / "brought.py").write_text(f"FOR = {name!r}")
    (tmp_path / "data/notebook.json").touch()
    first = next(text for kind, text in cells_of("best", 9.0) if kind == "code")
    code = first.partition("from competition.")[0].replace("/kaggle/input", str(tmp_path)) + "import brought"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    said = f"3.1 and {python}." if brought else "3.1, which do not fit: pack the notebook again."
    assert done.stdout == f"Python {python}. Packages are here for {said}\n"
    assert (done.returncode == 0) == brought


def test_its_cells_are_python() -> None:
    for kind, text in cells_of("best", 9.0):
        if kind == "code":
            ast.parse(text)


def test_the_model_that_is_best_alone_comes_first(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path, models=["weak", "strong"])
    blend_of("both", ["weak", "strong"], workspace, rule="fixed")
    models = plan_of("both", workspace).models
    assert set(models) == {"weak", "strong"}
    scores = {name: plan_of(name, workspace).models for name in models}
    assert scores == {"weak": ("weak",), "strong": ("strong",)}


def test_scores_that_came_from_files_have_no_network(blended: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "theirs.npz"
    export_scores("a", path, blended)
    import_scores("theirs", [path], blended)
    with pytest.raises(UserError, match="came from files: there is no network"):
        plan_of("theirs", blended)


def test_a_blend_of_other_scores_is_refused_with_the_command_that_makes_it_again(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path)
    blend_of("both", ["a", "b"], workspace, rule="fixed")
    path = workspace.blends / "both" / "blend.json"
    content = json.loads(path.read_text())
    content["members"][1]["oof"] = "0" * 64
    content = {key: value for key, value in content.items() if key not in ("format", "digest")}
    write_record(path, content, version=FORMAT)
    with pytest.raises(UserError, match=r"'both' was blended of other scores of 'b'.*blend --members a,b"):
        plan_of("both", workspace)


def test_the_modules_that_are_packed_import_nothing_of_training(tmp_path: Path) -> None:
    copy_sources(ENTRIES, tmp_path)
    place = f"sys.path.insert(0, {str(tmp_path)!r}); "
    code = BEFORE + place + f"import {', '.join(ENTRIES)}; print(models.notebook.passes.__file__)"
    done = subprocess.run([sys.executable, "-P", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(tmp_path))


def test_a_folder_of_something_else_is_left_alone(blended: Workspace, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("years")
    for folder, said in (
        (tmp_path / "mine", "holds no notebook"),
        (tmp_path / "mine/thesis.txt/x", "thesis.txt/x: Not a directory. Give a path in a folder of yours"),
        (blended.root / "blends", "keeps files of its own"),
    ):
        before = sorted(folder.rglob("*"))
        given = ["both", "--to", str(folder), "--owner", "somebody", "--workspace", str(blended.root)]
        done = CliRunner().invoke(notebook_verb(pack_model), given)
        assert done.exit_code != 0
        assert said in f"{done.exception} {done.output}"
        assert sorted(folder.rglob("*")) == before
    assert "put your user name in the place of" in run(blended, "both", "--to", tmp_path / "new")
    assert "put your user name" not in run(blended, "both", "--to", tmp_path / "new", "--owner", "somebody")  # again
