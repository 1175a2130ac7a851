"""The folder that becomes a notebook on Kaggle, made of a blend or a model."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from competition.common.errors import UserError
from competition.common.files import check_writable, replace_folder
from competition.common.locks import lock_of, locked
from competition.common.records import write_record
from competition.common.text import counted, first, readable
from competition.kernels.folder import DATASET, METADATA, NETWORKS, OWNER, PACKAGES, PROVENANCE, Kernel, write_notebook
from competition.kernels.sources import copy_sources
from competition.kernels.wheels import Image, bring, kaggles_image, said_of
from competition.workspace import Workspace
from submissions.notebook.answers import write_answers
from submissions.notebook.known import check_known
from submissions.notebook.plan import Plan, plan_of
from submissions.submit.provenance import FORMAT

SOURCES = "sources"  # folder of the data set
ENTRIES = (  # modules that the cells import
    "competition.kernels.inputs",
    "models.notebook.passes",
    "submissions.notebook.answers",
)
RESERVE = 0.03  # share of the time limit that is left for what Kaggle does before and after
DEEP = (".tif", ".tiff", ".jp2")  # files that Pillow does not read, or not in all their depth

# Writes the networks of a model to a folder, for `models.notebook.packed`.
PackModel = Callable[[Workspace, str, Path], None]


@dataclass(frozen=True)
class Asked:
    """How a notebook is to be made.

    Attributes:
        owner: user name on Kaggle.
        gpu: whether it runs on a machine with a GPU.
        hours: that it may take.
        wheels: folder of wheels; None: there are none.
        online: whether wheels that are lacking are fetched.
        image: that it runs in.
    """

    owner: str
    gpu: bool
    hours: float
    wheels: Path | None
    online: bool
    image: Image


@dataclass(frozen=True)
class Made:
    """A notebook that was made.

    Attributes:
        folder: that holds it.
        kernel: what it is to Kaggle.
        plan: what it makes.
        size: bytes of its data set.
        packages: by Python, those that the data set brings.
        lacking: by Python, packages that it needs, and that neither the image nor the data set has.
        image: that it runs in.
    """

    folder: Path
    kernel: Kernel
    plan: Plan
    size: int
    packages: dict[str, tuple[str, ...]]
    lacking: dict[str, tuple[str, ...]]
    image: Image

    @property
    def is_lacking(self) -> bool:
        """Whether the Python that the image has lacks a package."""
        return bool(self.lacking[self.image.pythons[0]])

    def text(self) -> str:
        """Return what was made."""
        brought = "; ".join(f"{first(some)} for Python {python}" for python, some in self.packages.items() if some)
        lines = [
            f"{self.kernel.id} predicts with {counted(len(self.plan.models), 'model')}, the most useful first: "
            f"{first(self.plan.models)}.",
            f"Wrote {self.folder}: the notebook, and {readable(self.size)} of data set"
            + (f" with {brought}." if brought else "."),
        ]
        if self.kernel.owner == OWNER:
            lines.append(f"Before you upload it, put your user name in the place of {OWNER}, or give it by --owner.")
        return "\n".join([*lines, *filter(None, [said_of(self.lacking, self.image)])])

    def as_dict(self) -> dict[str, Any]:
        """Return the same as values for JSON."""
        return {
            "folder": str(self.folder),
            "kernel": self.kernel.id,
            "dataset": self.kernel.dataset,
            "models": list(self.plan.models),
            "bytes": self.size,
            "packages": self.packages,
            "lacking": self.lacking,
        }


def make_notebook(name: str, workspace: Workspace, folder: Path, pack_model: PackModel, asked: Asked) -> Made:
    """Make the folder of a notebook; one that is there stays until the new one is complete.

    Args:
        name: of a blend or a model.
        workspace: of the competition.
        folder: receives it.
        pack_model: writes the networks of a model to a folder.
        asked: how it is to be made.

    Raises:
        UserError: if OpenVINO is not installed, there is no such blend, it cannot be made again or would not write the
            blend's submission, wheels cannot be fetched, or the folder holds something that is no notebook.
    """
    _check_installed()
    _check_folder(folder)
    plan, kernel = plan_of(name, workspace), Kernel(name, asked.owner, workspace.competition.kaggle_slug, asked.gpu)
    with locked(lock_of(folder.absolute())), replace_folder(folder) as temporary:  # somebody may be pushing it
        dataset = temporary / DATASET
        dataset.mkdir()
        values = {key: getattr(plan, key) for key in ("tree", "rule", "models", "shares", "constant")}
        write_answers(dataset, workspace.competition, {**values, "constant": np.asarray(plan.constant)})
        check_known(name, dataset, workspace)
        for model in plan.models:
            pack_model(workspace, model, dataset / NETWORKS / model)
        copy_sources(ENTRIES, dataset / SOURCES)
        needed = asked.image.lacks(_packages(plan, workspace, dataset / NETWORKS))
        lacking = bring(needed, asked.image, dataset / PACKAGES, asked.wheels, online=asked.online)
        write_notebook(temporary, kernel, cells_of(name, asked.hours))
        write_record(temporary / PROVENANCE, plan.provenance, version=FORMAT)
        size = sum(path.stat().st_size for path in dataset.rglob("*") if path.is_file())
    brought = {python: tuple(package for package in needed if package not in lacking[python]) for python in lacking}
    return Made(folder, kernel, plan, size, brought, lacking, asked.image)


def _check_installed() -> None:
    """Refuse to begin without what converts networks, as that comes after minutes of fitting."""
    if importlib.util.find_spec("openvino") is None:
        raise UserError("Packing a notebook needs openvino, which is not installed. Run 'pip install -e \".[fast]\"'.")


def _check_folder(folder: Path) -> None:
    """Refuse to take the place of a folder that is no notebook's, or one that no folder can have."""
    if not folder.exists():
        check_writable(folder)
    if folder.is_dir() and any(folder.iterdir()) and not (folder / METADATA).is_file():
        raise UserError(f"{folder} is not empty, and holds no notebook. Give --to with another folder.")


def _packages(plan: Plan, workspace: Workspace, networks: Path) -> list[str]:
    """Return the packages that a notebook loads."""
    packages = ["numpy", "pillow", "pydantic"]
    suffixes = {path.suffix for path in networks.rglob("*")}
    packages += [package for suffix, package in ((".xml", "openvino"), (".onnx", "onnxruntime")) if suffix in suffixes]
    recipes = (json.loads(path.read_text(encoding="utf-8"))["recipe"] for path in networks.glob("*/model.json"))
    renderings = [workspace.competition.image_set(recipe["images"]) for recipe in recipes]
    if any(suffix in DEEP for rendering in renderings for suffix in rendering.suffix):
        packages += ["tifffile", "imagecodecs"]
    packages += ["lightgbm"] if _holds(plan.tree, "boosting") else []
    packages += ["scikit-learn"] if _holds(plan.tree, "neighbours") else []
    return packages


def _holds(values: Any, word: str) -> bool:
    if isinstance(values, dict):
        return any(_holds(value, word) for value in values.values())
    if isinstance(values, list):
        return any(_holds(value, word) for value in values)
    return isinstance(values, str) and values == word


def cells_of(name: str, hours: float) -> list[tuple[str, str]]:
    """Return the cells of the notebook: kind and text of each.

    Args:
        name: of the blend or model.
        hours: that it may take.
    """
    return [("markdown", ABOUT.format(name=name)), ("code", FIRST.format(hours=hours)), ("code", THEN)]


ABOUT = """# {name}

Made by `planet-toolkit`. It reads `/kaggle/input` and writes `submission.csv`: first the best constant answer for every
chip, then, model by model and view by view, what is known by then. Without internet, and within its time."""
FIRST = """import sys
import time
from pathlib import Path

BEGAN, HOURS = time.monotonic(), {hours}
INPUT, OUTPUT = Path("/kaggle/input"), Path("/kaggle/working/submission.csv")

depths = ("*/" * depth + "notebook.json" for depth in range(5))
DATA = next(path.parent for pattern in depths for path in INPUT.glob(pattern))
sys.dont_write_bytecode = True
sys.path.insert(0, str(DATA / "sources"))
PYTHON = f"{{sys.version_info[0]}}.{{sys.version_info[1]}}"
BROUGHT = sorted(path.name for path in DATA.glob("packages/*"))
sys.path.append(str(DATA / "packages" / PYTHON))  # what the image has comes first
fits = "" if PYTHON in BROUGHT or not BROUGHT else ", which do not fit: pack the notebook again"
print(f"Python {{PYTHON}}. Packages are here for {{' and '.join(BROUGHT) or 'none'}}{{fits}}.")

from competition.kernels.inputs import Inputs
from submissions.notebook.answers import Answers

answers = Answers.read(DATA)
inputs = Inputs.in_folder(INPUT, answers.competition)
answers.write(OUTPUT, inputs.sample, {{}})
print(f"{{len(inputs.sample.names):,}} chips to predict; the constant answer is written.", flush=True)
"""
THEN = f"""from models.notebook.packed import read_models
from models.notebook.passes import Chips, score_all

score_all(
    read_models(DATA / "{NETWORKS}", answers.models, answers.competition),
    Chips(inputs.sample.names, inputs.files),
    lambda said: answers.write(OUTPUT, inputs.sample, said),
    until=BEGAN + {1 - RESERVE} * HOURS * 3600,
)
print(f"Done in {{time.monotonic() - BEGAN:,.0f}} s.", flush=True)
"""


def image_with(have: Sequence[str], pythons: Sequence[str]) -> Image:
    """Return Kaggle's image; where packages are named, with just these, and where Pythons are, with one of them.

    Raises:
        UserError: if what is named is no version of Python.
    """
    if strange := [python for python in pythons if not re.fullmatch(r"3\.\d{1,2}", python)]:
        raise UserError(f"--python takes versions such as 3.12, received {strange[0]!r}.")
    image = kaggles_image()
    return replace(image, packages=frozenset(have) or image.packages, pythons=tuple(pythons) or image.pythons)
