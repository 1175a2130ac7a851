"""What is to be pushed: a packed notebook, checked before anything leaves the machine."""

from __future__ import annotations

import json
import os
import shlex
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, Field, StrictBool, ValidationError

from competition.common.errors import UserError
from competition.common.files import digest_file, digest_json
from competition.common.records import check_beside, read_record, write_record
from competition.kernels.folder import (
    ANSWERS,
    DATASET,
    DATASET_METADATA,
    METADATA,
    MODEL,
    NETWORKS,
    OWNER,
    PACKAGES,
    PROVENANCE,
    USERS,
    in_address,
)
from competition.kernels.folder import FORMAT as IN_DATASET
from competition.spec.load import describe
from competition.workspace import Workspace
from submissions.submit.provenance import FORMAT as OF_PROVENANCE
from submissions.submit.provenance import what_is_known

MARKED = 16  # hex digits of a digest by which a version is known on Kaggle
PUSHED = ".pushed.json"  # ends the name of the record of what was pushed
FORMAT = 1  # of the file in a data set that says what is in it
UNSET = "INSERT_"  # begins what Kaggle's client writes where somebody is to say something
REFS = f"^{USERS}/{USERS}$"
T = TypeVar("T", bound=BaseModel)


class _UnfitError(ValueError):
    """What Kaggle would not take."""


class _Notebook(BaseModel):
    id: str = Field(pattern=REFS)
    title: str
    code_file: str
    dataset_sources: list[str]
    competition_sources: list[str]
    is_private: StrictBool = True
    enable_internet: StrictBool = True  # as Kaggle's client takes it where nobody says


class _Cells(BaseModel):
    cells: list[dict[str, Any]]


class _License(BaseModel):
    name: str


class _Dataset(BaseModel):
    id: str = Field(pattern=REFS)
    title: str = Field(min_length=6, max_length=50)
    licenses: list[_License] = Field(min_length=1, max_length=1)


@dataclass(frozen=True)
class PackedNotebook:
    """A packed notebook.

    Attributes:
        folder: that holds it.
        kernel: the notebook on Kaggle, as "owner/name".
        dataset: its data set there, likewise.
        code: name of the notebook's file.
        title: of the data set.
        license: of the data set, by Kaggle's name.
        data: SHA-256 of what is in the data set.
        digest: SHA-256 of that, and of the notebook and what Kaggle is to know of it.
        provenance: how what it runs was made, which stays here; None of those packed before that was kept.
    """

    folder: Path
    kernel: str
    dataset: str
    code: str
    title: str
    license: str
    data: str
    digest: str
    provenance: dict[str, Any] | None

    @classmethod
    def read(cls, folder: Path, workspace: Workspace) -> PackedNotebook:
        """Read and check the folder of a notebook.

        Raises:
            UserError: if there is none, or Kaggle would not take it; owner or title are not set.
        """
        check_packed(folder, workspace)
        again = packed_again(folder, workspace)
        slug = workspace.competition.kaggle_slug
        try:
            notebook = _read(folder / METADATA, _Notebook)
            dataset = _read(folder / DATASET / DATASET_METADATA, _Dataset)
            _check(folder, notebook, dataset, slug)
            _read(folder / notebook.code_file, _Cells)  # Kaggle would run whatever is in it
        except _UnfitError as error:
            raise UserError(str(error), command=again, otherwise="write it there") from error
        provenance = _provenance(folder / PROVENANCE, again) if (folder / PROVENANCE).exists() else None
        data = digest_json(contents(folder / DATASET))
        of_notebook = {name: digest_file(folder / name) for name in (METADATA, notebook.code_file)}
        digest = digest_json({"data": data, **of_notebook})
        of_dataset = (dataset.title, dataset.licenses[0].name)
        return cls(folder, notebook.id, dataset.id, notebook.code_file, *of_dataset, data, digest, provenance)

    @property
    def name(self) -> str:
        """Of the blend or model that it runs."""
        return Path(self.code).stem

    @property
    def marker(self) -> str:
        """What makes a version of the notebook known on Kaggle."""
        return self.digest[:MARKED]

    @property
    def data_marker(self) -> str:
        """Name of the file that makes a version of the data set known on Kaggle."""
        return data_marker(self.data)

    def check_contents(self, workspace: Workspace) -> None:
        """Check that answers and networks are those that were packed.

        Raises:
            UserError: if one is missing or was changed, or nobody can tell, as they were packed by an earlier version.
        """
        dataset, again = self.folder / DATASET, packed_again(self.folder, workspace, self.kernel.split("/")[0])

        def models_of(content: dict[str, Any]) -> list[str]:
            check_beside(dataset / ANSWERS, content["files"], command=again)
            return [str(name) for name in content["values"]["models"]]

        for name in read_record(dataset / ANSWERS, models_of, version=IN_DATASET, command=again):
            path = dataset / NETWORKS / name / MODEL
            digests = read_record(path, lambda content: dict(content["digests"]), version=IN_DATASET, command=again)
            check_beside(path, digests, command=again)

    def parts(self, scratch: Path) -> Iterator[Path]:
        """Yield the files that the data set is made of; folders as zips, which Kaggle unpacks into such folders.

        Args:
            scratch: an empty folder for what is made.

        Raises:
            UserError: if it is changed meanwhile.
        """
        for path in sorted((self.folder / DATASET).iterdir()):
            if path.is_dir():
                yield Path(shutil.make_archive(str(scratch / path.name), "zip", path))
            elif path.name != DATASET_METADATA:
                yield path
        found = contents(self.folder / DATASET)
        if digest_json(found) != self.data:
            raise UserError(f"{self.folder} is changing while it is read. Run the command again when it is complete.")
        write_record(scratch / self.data_marker, {"files": found}, version=FORMAT)
        yield scratch / self.data_marker

    def write_marked(self, folder: Path) -> None:
        """Write the notebook to an empty folder, with a last cell that makes it known, and what Kaggle is to know."""
        shutil.copyfile(self.folder / METADATA, folder / METADATA)
        notebook = json.loads((self.folder / self.code).read_text(encoding="utf-8"))
        told = f"Pushed as `{self.marker}`, with the data set of `{self.data_marker}`."
        notebook["cells"].append({"cell_type": "markdown", "id": "pushed", "metadata": {}, "source": [told]})
        (folder / self.code).write_text(json.dumps(notebook, ensure_ascii=False), encoding="utf-8")


def folder_of(name: str, workspace: Workspace) -> Path:
    """Return the folder of a notebook given by name, or by the path of a folder elsewhere, which is made absolute.

    Raises:
        UserError: if it has no name, by which what was pushed of it is kept beside it.
    """
    here, there = workspace.notebooks / name, Path(os.path.abspath(name))
    is_name = Path(name).name == name and name != ".."  # which is a path, as "." is, whose name is ""
    if is_name and name and (here.is_dir() or not (there / METADATA).is_file()):
        return here
    if not (name and there.name):
        raise UserError(f"Expected the name of a notebook, or the path of its folder, received {name!r}.")
    return there


def check_packed(folder: Path, workspace: Workspace) -> None:
    """Refuse a folder that holds no notebook."""
    if not (folder / METADATA).is_file():
        raise UserError(f"{folder} holds no notebook.", command=packed_again(folder, workspace))


def record_of(folder: Path) -> Path:
    """Return the path of the record of what was pushed of a folder: beside it, as it stays when it is packed anew."""
    return folder.absolute().with_name(f"{folder.absolute().name}{PUSHED}")


def data_marker(data: str) -> str:
    """Return the name of the file by which a data set of this digest is known."""
    return f"contents-{data[:MARKED]}.json"


def packed_again(folder: Path, workspace: Workspace, owner: str = "YOU") -> str:
    """Return the command that packs a notebook anew for a user of Kaggle, with the flags that can be told from it."""
    known: Any = {}
    with suppress(OSError, ValueError):
        known = json.loads((folder / METADATA).read_bytes())
    known = known if isinstance(known, dict) else {}
    code = next(iter(sorted(folder.glob("*.ipynb"))), f"{folder.name}.ipynb")  # where the metadata is lost
    name = Path(str(known.get("code_file") or code)).stem
    elsewhere = os.path.abspath(folder) != os.path.abspath(workspace.notebooks / name)
    to = f" --to {shlex.quote(str(folder))}" if elsewhere else ""
    gpu = " --gpu" if known.get("enable_gpu") else ""
    fetched = " --fetch" if (folder / DATASET / PACKAGES).is_dir() else ""
    return f"notebook {shlex.quote(name)} --owner {shlex.quote(owner)}{to}{gpu}{fetched}"


def contents(dataset: Path) -> dict[str, str]:
    """Return the SHA-256 of each file of a data set, by its path in it."""
    files = sorted(path for path in dataset.rglob("*") if path.is_file() and path != dataset / DATASET_METADATA)
    return {path.relative_to(dataset).as_posix(): digest_file(path) for path in files}


def _provenance(path: Path, again: str) -> dict[str, Any]:
    def parse(content: dict[str, Any]) -> dict[str, Any]:
        what_is_known(content)
        return content

    return read_record(path, parse, version=OF_PROVENANCE, command=again)


def _read(path: Path, model: type[T]) -> T:
    try:
        return model.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise _UnfitError(f"{path}: it is missing.") from None
    except ValidationError as error:
        raise _UnfitError(f"{path}: {describe(error)}.") from None


def _check(folder: Path, notebook: _Notebook, dataset: _Dataset, slug: str) -> None:
    """Refuse what Kaggle would not take, or would take for something else."""
    for path, of in ((folder / METADATA, notebook), (folder / DATASET / DATASET_METADATA, dataset)):
        owner, name = of.id.split("/")
        if owner == OWNER or owner.startswith(UNSET):
            raise _UnfitError(f"{path}: `id` is {of.id!r}: whose it is is not set.")
        if of.title.startswith(UNSET) or not of.title.strip():
            raise _UnfitError(f"{path}: `title` is {of.title!r}: it is not set.")
        if in_address(of.title) != name:
            made = f"{owner}/{in_address(of.title)}"
            raise _UnfitError(f"{path}: Kaggle makes {made!r} of `title`, and `id` is {of.id!r}.")
    path = folder / METADATA
    if not notebook.is_private or notebook.enable_internet:
        received = f"{str(notebook.is_private).lower()} and {str(notebook.enable_internet).lower()}"
        raise _UnfitError(f"{path}: expected `is_private` true and `enable_internet` false, received {received}.")
    if notebook.dataset_sources.count(dataset.id) != 1:
        raise _UnfitError(f"{path}: `dataset_sources` lack {dataset.id!r}, received {notebook.dataset_sources}.")
    if notebook.competition_sources != [slug]:
        raise _UnfitError(f"{path}: `competition_sources`: expected {[slug]}, received {notebook.competition_sources}.")
    if Path(notebook.code_file).name != notebook.code_file or not (folder / notebook.code_file).is_file():
        raise _UnfitError(f"{path}: `code_file`: there is no {notebook.code_file!r} beside it.")
