"""What is pushed is checked before anything leaves the machine."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import pytest
from slugify import slugify

from competition.common.errors import UserError
from competition.common.records import write_record
from competition.kernels.folder import OWNER, in_address
from competition.workspace import Workspace
from submissions.push.packed import PackedNotebook, contents, folder_of, packed_again
from tests.kaggle_server import SLUG, KaggleServer
from tests.submissions.on_kaggle import run
from tests.submissions.push.conftest import pack


def read(workspace: Workspace) -> PackedNotebook:
    return PackedNotebook.read(workspace.notebooks / "first", workspace)


def spoil(workspace: Workspace, file: str, **values: object) -> None:
    spoil_in(workspace.notebooks / "first", file, **values)


def spoil_in(folder: Path, file: str, **values: object) -> None:
    path = folder / file
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


KERNEL, DATASET = "kernel-metadata.json", "dataset/dataset-metadata.json"
UNFIT = {
    "owner": (KERNEL, {"id": f"{OWNER}/first"}, f"`id` is '{OWNER}/first': whose it is is not set"),
    "no user": (KERNEL, {"id": "a/b/first"}, "id"),
    "a path": (DATASET, {"id": "../first-networks"}, "id"),
    "title": (KERNEL, {"title": "INSERT_TITLE_HERE"}, "`title` is 'INSERT_TITLE_HERE': it is not set"),
    "another title": (KERNEL, {"title": "Something else"}, "Kaggle makes 'user/something-else' of `title`, and `id`"),
    "no title": (DATASET, {"title": ""}, "title"),
    "data set's owner": (DATASET, {"id": f"{OWNER}/first-networks"}, "whose it is is not set"),
    "another data set": (KERNEL, {"dataset_sources": ["user/other"]}, "`dataset_sources` lack 'user/first-networks'"),
    "another competition": (KERNEL, {"competition_sources": ["titanic"]}, f"expected .'{SLUG}'., received"),
    "no notebook": (KERNEL, {"code_file": "../first.ipynb"}, "there is no '../first.ipynb' beside it"),
    "public": (KERNEL, {"is_private": False}, "`is_private` true and .*, received false and false"),
    "internet": (KERNEL, {"enable_internet": True}, "`enable_internet` false, received true and true"),
    "a word": (KERNEL, {"is_private": "true"}, "is_private"),
    "licenses": (DATASET, {"licenses": []}, "licenses"),
}


@pytest.mark.parametrize("unfit", UNFIT)
def test_what_kaggle_would_not_take_is_refused_with_the_command_that_mends_it(unfit: str, packed: Workspace) -> None:
    file, values, line = UNFIT[unfit]
    spoil(packed, file, **values)
    with pytest.raises(UserError, match=f'{line}.*Run "python run.py notebook first --owner YOU", or write it there'):
        read(packed)


@pytest.mark.parametrize("content", ["", "print(1)", "[]", '{"cells": 5}', '{"cells": ["a"]}', "{}"])
def test_a_damaged_notebook_is_told_before_anybody_is_asked(
    content: str, kaggle: KaggleServer, packed: Workspace
) -> None:
    (packed.notebooks / "first/first.ipynb").write_text(content)
    shown = " ".join(run(packed, "notebook", "push", "first", code=2).split())
    assert "first.ipynb: " in shown
    assert "notebook first --owner" in shown
    assert kaggle.calls == []


def flip(path: Path) -> None:
    path.write_bytes(bytes([path.read_bytes()[0] ^ 1]) + path.read_bytes()[1:])


CHANGED = {
    "a bit": lambda dataset: flip(dataset / "networks/a/network0-0.bin"),
    "no weights": lambda dataset: (dataset / "networks/a/network0-0.bin").unlink(),
    "no networks": lambda dataset: shutil.rmtree(dataset / "networks"),
    "no answers": lambda dataset: (dataset / "notebook.json").unlink(),
    "earlier": lambda dataset: write_record(dataset / "networks/a/model.json", {}, version=1),
}


@pytest.mark.parametrize("change", CHANGED)
def test_networks_other_than_those_packed_are_not_pushed(change: str, kaggle: KaggleServer, packed: Workspace) -> None:
    CHANGED[change](packed.notebooks / "first/dataset")
    shown = run(packed, "notebook", "push", "first", code=2)
    assert "notebook first --owner user" in " ".join(shown.split())
    assert kaggle.calls == []


def test_what_lies_elsewhere_is_packed_anew_where_it_lies(packed: Workspace, tmp_path: Path) -> None:
    shutil.copytree(packed.notebooks / "first", tmp_path / "else where")
    spoil_in(tmp_path / "else where", KERNEL, title="INSERT_TITLE_HERE")
    with pytest.raises(UserError) as caught:
        PackedNotebook.read(tmp_path / "else where", packed)
    assert f"notebook first --owner YOU --to '{tmp_path}/else where'\", or write it there" in str(caught.value)


@pytest.mark.parametrize("lost", ["kernel-metadata.json", "first.ipynb"])
def test_the_blend_is_known_by_either_of_two_files(lost: str, packed: Workspace, tmp_path: Path) -> None:
    shutil.copytree(packed.notebooks / "first", tmp_path / "v1.5")
    (tmp_path / "v1.5" / lost).unlink()
    assert packed_again(tmp_path / "v1.5", packed) == f"notebook first --owner YOU --to {tmp_path}/v1.5"
    assert packed_again(tmp_path / "v1.6", packed) == f"notebook v1.6 --owner YOU --to {tmp_path}/v1.6"


def test_nobody_is_asked_about_what_is_unfit(kaggle: KaggleServer, packed: Workspace) -> None:
    pack(packed.notebooks / "first", owner=OWNER)
    assert "whose it is is not set" in run(packed, "notebook", "push", "first", code=2)
    assert "holds no notebook. Run" in run(packed, "notebook", "push", "nothing", code=2)
    assert kaggle.calls == []


def test_a_digest_is_of_all_that_is_pushed(packed: Workspace) -> None:
    before = read(packed)
    assert read(packed) == before
    spoil(packed, KERNEL, enable_gpu=True)
    assert (read(packed).data, read(packed).digest == before.digest) == (before.data, False)
    (packed.notebooks / "first/dataset/sources/new.py").touch()
    assert read(packed).data != before.data


def test_the_parts_hold_every_file_in_its_folder(packed: Workspace, tmp_path: Path) -> None:
    found = {}
    for path in read(packed).parts(tmp_path):
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                files = [name for name in archive.namelist() if not name.endswith("/")]
                found |= {f"{path.stem}/{name}": archive.read(name) for name in files}
        elif not path.name.startswith("contents-"):
            found[path.name] = path.read_bytes()
    dataset = packed.notebooks / "first/dataset"
    assert found == {name: (dataset / name).read_bytes() for name in contents(dataset)}


def test_a_folder_that_changes_meanwhile_is_not_pushed(packed: Workspace, tmp_path: Path) -> None:
    notebook = read(packed)
    (packed.notebooks / "first/dataset/notebook.json").write_text("changed")
    with pytest.raises(UserError, match="is changing while it is read"):
        list(notebook.parts(tmp_path))


def test_the_notebook_that_is_pushed_has_the_cells_and_its_marker(packed: Workspace, tmp_path: Path) -> None:
    notebook = read(packed)
    notebook.write_marked(tmp_path)
    cells = json.loads((tmp_path / "first.ipynb").read_text())["cells"]
    assert cells[:-1] == json.loads((packed.notebooks / "first/first.ipynb").read_text())["cells"]
    assert notebook.marker in cells[-1]["source"][0]


def test_a_name_is_of_the_workspace_and_a_path_is_a_path(packed: Workspace, tmp_path: Path) -> None:
    assert folder_of("first", packed) == packed.notebooks / "first"
    assert folder_of(str(tmp_path / "first"), packed) == tmp_path / "first"


def test_a_folder_has_its_name_however_it_is_reached(
    kaggle: KaggleServer, packed: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack(tmp_path / "elsewhere")
    (tmp_path / "elsewhere/sub").mkdir()
    kaggle.shelf.ends_after = -1
    kaggle.shelf.left = {"submission.csv": (packed.submissions / "first.csv").read_bytes()}
    for there, given in (("elsewhere", "."), ("elsewhere/sub", "..")):
        monkeypatch.chdir(tmp_path / there)
        assert folder_of(given, packed) == tmp_path / "elsewhere"
        assert "version 1 of the notebook user/" in run(packed, "notebook", "push", given)
        assert "version 1: complete." in run(packed, "notebook", "status", given)
        assert "is valid: 40 rows" in run(packed, "notebook", "output", given)
        assert "Dry run: version 1" in run(packed, "submit", given, "--notebook", "--dry-run")
    assert (tmp_path / "elsewhere.pushed.json").is_file()
    assert (tmp_path / "elsewhere.output/submission.csv").is_file()


@pytest.mark.parametrize("given", ["/", ""])
def test_what_has_no_name_is_refused_in_a_line(given: str, kaggle: KaggleServer, packed: Workspace) -> None:
    for verb in (["notebook", "push"], ["notebook", "status"], ["notebook", "output"], ["submit", "--notebook"]):
        assert f"or the path of its folder, received {given!r}." in run(packed, *verb, given, code=2)


@pytest.mark.parametrize("name", ["Best_of 3", "v1.5-x", "a__b", "A.B..c", "x-", "planet networks"])
def test_addresses_are_made_as_the_client_makes_them(name: str) -> None:
    assert in_address(f"competition {name}") == slugify(f"competition {name}")
