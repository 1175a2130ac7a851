"""The folder that Kaggle's client uploads: a notebook with its metadata, and a data set with its own.

kernel-metadata.json     of the notebook
NAME.ipynb               the notebook
dataset/                 the data set, with dataset-metadata.json
  notebook.json          what makes answers of scores, and the digests of the files beside it
  networks/MODEL/        networks of a model, and model.json, which has the digests of their files
provenance.json          how what it runs was made; it stays here
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from competition.common.errors import UserError

DATASET, METADATA, DATASET_METADATA = "dataset", "kernel-metadata.json", "dataset-metadata.json"
PROVENANCE = "provenance.json"
ANSWERS, NETWORKS, MODEL = "notebook.json", "networks", "model.json"
FORMAT = 2  # of these records; the first had no digests of networks
PACKAGES = "packages"  # folder of the data set, of packages that Kaggle's image lacks
OWNER = "INSERT_OWNER_HERE"  # as Kaggle's client writes it where nobody has said who
USERS = "[A-Za-z0-9_-]+"  # names of Kaggle's users
SHORTEST, LONGEST = 6, 50  # characters of a title and of what stands in its address
TOLD = 8  # of these, which tell titles apart that are cut


@dataclass(frozen=True)
class Kernel:
    """What a notebook is to Kaggle.

    Attributes:
        name: of what it runs.
        owner: user name on Kaggle; `OWNER` where it is not known yet.
        slug: Kaggle's name of the competition.
        gpu: whether it runs on a machine with a GPU.
    """

    name: str
    owner: str
    slug: str
    gpu: bool = False

    @property
    def title(self) -> str:
        """Of the notebook; what stands in its address is made of it by Kaggle."""
        return _fitting(f"{self.slug} {self.name}")

    @property
    def id(self) -> str:
        """Of the notebook, with its owner."""
        return f"{self.owner}/{in_address(self.title)}"

    @property
    def dataset(self) -> str:
        """Of the data set, with its owner."""
        return f"{self.owner}/{in_address(self._dataset_title)}"

    @property
    def _dataset_title(self) -> str:
        return _fitting(f"{self.name} networks")

    def metadata(self) -> dict[str, Any]:
        """Return the content of kernel-metadata.json."""
        return {
            "id": self.id,
            "title": self.title,
            "code_file": f"{self.name}.ipynb",
            "language": "python",
            "kernel_type": "notebook",
            "is_private": True,
            "enable_gpu": self.gpu,
            "enable_tpu": False,
            "enable_internet": False,
            "dataset_sources": [self.dataset],
            "competition_sources": [self.slug],
            "kernel_sources": [],
            "model_sources": [],
        }

    def dataset_metadata(self) -> dict[str, Any]:
        """Return the content of dataset-metadata.json."""
        return {"title": self._dataset_title, "id": self.dataset, "licenses": [{"name": "other"}]}


def checked_owner(name: str) -> str:
    """Return a user name on Kaggle.

    Raises:
        UserError: if it can be none.
    """
    if not re.fullmatch(USERS, name):
        raise UserError(f"--owner takes a user name on Kaggle, of letters, digits, - and _; received {name!r}.")
    return name


def _fitting(title: str) -> str:
    """Return a title that Kaggle takes; of a longer one the beginning, and what tells it from others like it."""
    if len(title) <= LONGEST:
        return title
    told = hashlib.sha256(title.encode()).hexdigest()[:TOLD]
    return f"{title[: LONGEST - TOLD - 1].strip()} {told}"


def in_address(title: str) -> str:
    """Return what Kaggle makes of a title in an address.

    Raises:
        UserError: if that is too short for Kaggle.
    """
    slug = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:LONGEST].strip("-")
    if len(slug) < SHORTEST:
        raise UserError(f"Kaggle takes no name as short as {slug!r}. Give the blend another name.")
    return slug


def write_notebook(folder: Path, kernel: Kernel, cells: list[tuple[str, str]]) -> None:
    """Write a notebook and what Kaggle is to know of it and of its data set.

    Args:
        folder: receives them.
        kernel: what it is to Kaggle.
        cells: kind ("markdown" or "code") and text of each cell.
    """
    made: list[dict[str, Any]] = []
    for number, (kind, text) in enumerate(cells):
        of_code: dict[str, Any] = {"execution_count": None, "outputs": []} if kind == "code" else {}
        source = text.splitlines(keepends=True)
        made.append({"cell_type": kind, "id": f"cell{number}", "metadata": {}, "source": source, **of_code})
    spoken = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook = {"cells": made, "metadata": {"kernelspec": spoken}, "nbformat": 4, "nbformat_minor": 5}
    _write(folder / f"{kernel.name}.ipynb", notebook)
    _write(folder / METADATA, kernel.metadata())
    _write(folder / DATASET / DATASET_METADATA, kernel.dataset_metadata())


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
