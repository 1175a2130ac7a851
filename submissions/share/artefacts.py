"""What of a workspace is shared: finished work, by names that nothing else can have.

Neither chips nor what is made of them, nor SQLite's databases, locks, temporary files or tokens: what is not named here
is not moved, in either direction.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from competition.common.errors import unknown_name
from competition.corrections import FILE as CORRECTIONS
from folds.store.chip_weights import FILE as WEIGHTS
from folds.store.provenance import MARKER as SCORES
from folds.store.pseudo_labels import RECORD as PSEUDO
from submissions.choose.cuts import FILE as CUTS
from submissions.members.blend_files import FILES as SCORES_OF_BLEND
from submissions.members.blend_files import MARKER as BLEND
from submissions.names import SHARED, What

NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}"
EVENTS = r"events\.out\.tfevents\.[A-Za-z0-9_.-]{1,100}"  # TensorBoard's
IN_FOLD = rf"(?:{NAME}/){{0,3}}(?:{NAME}\.(?:json|log|npz|npy|h5)|{EVENTS})"
PASSING = {"checkpoints", "parts"}  # folders of what is being made; a finished fold needs none
UNFINISHED = "unfinished"
CALLED: dict[What, str] = {"runs": "model", "blends": "blend", "pseudo": "pseudo-labels"}  # those that can be named
OF_ALL = ("folds", "corrections", "shift", "banks")  # what no model has for itself alone


@dataclass(frozen=True)
class Kind:
    """A kind of artefact.

    Attributes:
        what: it counts as.
        key: pattern of its key; a group in it is the name of the model, blend, submission, bank or pseudo-labels.
        inside: pattern of the path of a file within its folder.
        marker: the file that says that it is whole; it comes last. "" if any of its files may be alone.
        beside: whether its files lie beside what the key names, rather than in a folder of that name.
        is_folder: whether everything in its folder is its own, so that the folder is replaced as one.
    """

    what: What
    key: str
    inside: str
    marker: str = ""
    beside: bool = False
    is_folder: bool = False


OF_FOLDS = Kind("folds", "folds", r"folds\.(?:json|csv)", "folds.csv", beside=True)
OF_CORRECTIONS = Kind("corrections", "data/corrections", re.escape(CORRECTIONS), CORRECTIONS, beside=True)
OF_SHIFT = Kind("shift", "shift", re.escape(WEIGHTS), WEIGHTS, beside=True)
OF_PSEUDO = Kind("pseudo", rf"pseudo/({NAME})", rf"fold\d{{1,4}}\.npz|{re.escape(PSEUDO)}", PSEUDO, is_folder=True)
OF_MODEL = Kind("runs", rf"runs/({NAME})", r"recipe\.json|extractor\d{0,3}\.(?:weights\.h5|onnx|zip)", "recipe.json")
OF_FOLD = Kind("runs", rf"runs/({NAME})/fold\d{{1,4}}", IN_FOLD, SCORES, is_folder=True)
OF_BLEND = Kind(
    "blends", rf"blends/({NAME})", "|".join(map(re.escape, (*SCORES_OF_BLEND, BLEND))), BLEND, is_folder=True
)
BEGUN = Kind("runs", rf"{OF_FOLD.key}/{UNFINISHED}", IN_FOLD, "job.json", beside=True, is_folder=True)
KINDS = (
    OF_FOLDS,
    OF_CORRECTIONS,
    OF_SHIFT,
    OF_PSEUDO,
    OF_MODEL,
    OF_FOLD,
    BEGUN,
    Kind("runs", rf"runs/({NAME})/cuts", re.escape(CUTS), CUTS, beside=True),
    OF_BLEND,
    Kind("blends", rf"blends/({NAME})/cuts", re.escape(CUTS), CUTS, beside=True),
    Kind("submissions", rf"submissions/({NAME})", rf"{NAME}\.(?:csv|json)", beside=True),
    Kind("banks", rf"cache/features/({NAME})", rf"(?:done|bank|sums)\.json|{NAME}\.npy", "done.json", is_folder=True),
)


@dataclass(frozen=True)
class Artefact:
    """Some files that belong together.

    Attributes:
        key: what it is called, such as "runs/resnet50/fold3".
        kind: of it.
    """

    key: str
    kind: Kind

    @classmethod
    def of(cls, key: str) -> Artefact | None:
        """Return the artefact of a key; None if none is called so."""
        kind = next((kind for kind in KINDS if re.fullmatch(kind.key, key)), None)
        return None if kind is None else cls(key, kind)

    @property
    def name(self) -> str:
        """Of the model, blend, submission, bank or pseudo-labels; "" of what there is only one of."""
        found = re.fullmatch(self.kind.key, self.key)
        return found[1] if found and found.groups() else ""

    @property
    def model(self) -> str:
        """The key of the model that it is part of, without whose recipe it is worth nothing; "" if of none."""
        return f"runs/{self.name}" if self.kind.what == "runs" else ""

    @property
    def folder(self) -> str:
        """The folder of its files within a workspace; "" is that itself."""
        return self.key.rpartition("/")[0] if self.kind.beside else self.key

    def path(self, name: str) -> str:
        """Return the path of one of its files within a workspace."""
        return f"{self.folder}/{name}" if self.folder else name

    def allows(self, name: str) -> bool:
        """Return whether a file of this name, within its folder, can be one of its files."""
        if self.kind.what == "submissions" and name.rpartition(".")[0] != self.name:
            return False
        if self.kind is OF_FOLD and PASSING & set(name.split("/")):
            return False
        return re.fullmatch(self.kind.inside, name) is not None

    def in_order(self, names: Iterable[str]) -> list[str]:
        """Return the names of its files in the order in which they are written: what says that it is whole, last."""
        return sorted(names, key=lambda name: (name == self.kind.marker, name))

    def files(self, root: Path) -> list[str]:
        """Return the names, within its folder, of its files in the workspace at `root`; none if it is not whole."""
        folder = root / self.folder
        if self.kind.marker and not (folder / self.kind.marker).is_file():
            return []
        if self.kind is BEGUN and (folder / SCORES).is_file():
            return []
        found = folder.rglob("*") if self.kind.is_folder else folder.glob("*")
        names = (path.relative_to(folder).as_posix() for path in found if path.is_file() and not path.is_symlink())
        return self.in_order(name for name in names if self.allows(name))


@dataclass(frozen=True)
class Choice:
    """Which artefacts are moved.

    Attributes:
        what: kinds of them.
        models: names of models; where models, blends or pseudo-labels are named, no others are moved.
        blends: names of blends.
        pseudo: names of pseudo-labels.
        unfinished: also folds that are not finished.
    """

    what: tuple[What, ...] = SHARED
    models: tuple[str, ...] = ()
    blends: tuple[str, ...] = ()
    pseudo: tuple[str, ...] = ()
    unfinished: bool = False

    def of(self, artefacts: Iterable[Artefact]) -> list[Artefact]:
        """Return those of some artefacts that are moved, the fold table first.

        Raises:
            UserError: if one that is named is not among them.
        """
        known = sorted(artefacts, key=lambda artefact: (KINDS.index(artefact.kind), artefact.key))
        for what, names in self._named.items():
            there = sorted({artefact.name for artefact in known if artefact.kind.what == what})
            for name in names:
                if name not in there:
                    raise unknown_name(CALLED[what], name, there)
        return [artefact for artefact in known if self._takes(artefact)]

    def _takes(self, artefact: Artefact) -> bool:
        kind = artefact.kind
        if kind.what not in self.what or (kind is BEGUN and not self.unfinished):
            return False
        if not any(self._named.values()) or kind.what in OF_ALL:
            return True
        return artefact.name in self._named.get(kind.what, ())

    @property
    def _named(self) -> dict[What, tuple[str, ...]]:
        return {"runs": self.models, "blends": self.blends, "pseudo": self.pseudo}


def artefacts_in(root: Path) -> list[Artefact]:
    """Return the artefacts that the workspace at `root` has whole, and the folds that were begun."""
    keys = ["folds", "data/corrections", "shift"]
    for pattern in ("pseudo/*", "runs/*", "runs/*/fold*", "blends/*", "cache/features/*"):
        keys += [path.relative_to(root).as_posix() for path in root.glob(pattern) if path.is_dir()]
    keys += [f"{key}/{UNFINISHED}" for key in keys if "/fold" in key]
    keys += [f"{key}/cuts" for key in keys if key.count("/") == 1 and key.startswith(("runs/", "blends/"))]
    keys += {f"submissions/{path.stem}" for path in (root / "submissions").glob("*.csv")}
    found = (Artefact.of(key) for key in keys)
    return [artefact for artefact in found if artefact is not None and artefact.files(root)]
