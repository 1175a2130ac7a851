"""Pseudo-labels on disk: chips that are labelled, for the training of each fold, by networks that did not see it.

Layout of their folder, pseudo/<name>/:

    fold<k>.npz   names (num_chips,), targets float32 (num_chips, num_labels), counted bool (num_chips, num_labels)
    pseudo.json   whose scores they are, fold by fold, and the digest of each file; written last

They are of chips to predict, or of labelled chips, some of whose labels they correct. They are clean: what labels chips
for the training of fold k are networks that held fold k out, and nothing else; of corrections, heads that held the
chip's own fold out too. So the network that learns from them has not seen fold k either, its held-out scores are as
honest as its teachers' (whose best epoch fold k has chosen), and it can be a teacher itself. Pseudo-labels by networks
that saw fold k, such as the mean of all folds, carry the truth of its chips to the student, whose held-out scores then
look better than they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import TypeAdapter, ValidationError

from competition.common.errors import UserError
from competition.common.files import checked_name, digest_file, digest_json, replace_folder, versions_of
from competition.common.locks import lock_of, locked
from competition.common.records import read_record, write_record
from competition.common.text import counted, first, now, short
from competition.spec.load import describe
from competition.terminal.command_line import as_flags
from competition.workspace import RUNS, Workspace
from folds.dealing.table import FoldTable
from folds.store.chip_weights import changed_features
from folds.store.provenance import Network, scores_digest
from folds.store.scores import FoldLabels

FORMAT = 1
RECORD = "pseudo.json"
Of = Literal["test", "labelled"]  # the chips that pseudo-labels are of
TEST: Of = "test"
LABELLED: Of = "labelled"


@dataclass(frozen=True)
class Made:
    """What `pseudo.json` says, but for the files.

    Attributes:
        name: of the pseudo-labels.
        source: the model or blend whose scores they are.
        method: how its members are combined, fitted without the chips of each fold.
        power: by which the odds of scores were raised.
        sure: how often a target must be right to count.
        labels: the labels, in column order.
        fold_digest: digest of the fold table.
        label_digest: digest of the label table.
        networks: by fold, the networks whose scores label its chips.
        of: "test", the chips to predict, or "labelled": corrections of labels.
        features: by path of an array of features, within the workspace, its checksum: what heads are fitted to.
    """

    name: str
    source: str
    method: str
    power: float
    sure: float
    labels: tuple[str, ...]
    fold_digest: str
    label_digest: str
    networks: dict[int, tuple[Network, ...]]
    of: Of = TEST
    features: dict[str, int] = field(default_factory=dict)

    @property
    def round(self) -> int:
        """1 if the networks have learnt from labelled chips alone, one more than the round of what they learnt from."""
        every = (network.pseudo for networks in self.networks.values() for network in networks)
        return 1 + max((pseudo.round for pseudo in every if pseudo), default=0)

    @property
    def command(self) -> str:
        """What makes the same again."""
        power, sure = (None if value == plain else value for value, plain in ((self.power, 1), (self.sure, 0.5)))
        of = None if self.of == TEST else self.of
        flags = {"of": of, "from": self.source, "power": power, "sure": sure}
        return f"pseudo {self.name}{as_flags(flags)}"


@dataclass(frozen=True)
class PseudoLabels:
    """Pseudo-labels of a workspace, of which those of each fold can be read.

    Attributes:
        folder: of them.
        made: what they were made with.
        files: digest of the file of each fold, by its name.
        table: the fold table that they were made with; None where it is not at hand, and nothing is to be read.
    """

    folder: Path
    made: Made
    files: dict[str, str]
    table: FoldTable | None = None

    @classmethod
    def open(cls, workspace: Workspace, name: str, table: FoldTable | None = None) -> PseudoLabels:
        """Return the pseudo-labels of a name.

        Args:
            workspace: that they lie in.
            name: of them.
            table: the fold table that they must be made with; None: any will do.

        Raises:
            UserError: if there are none, or they are damaged or made with other folds or labels.
        """
        folder = workspace.pseudo / checked_name("pseudo-labels", name)
        if not folder.is_dir():
            known = first(pseudo_names(workspace)) or "none yet"
            raise UserError(f"No pseudo-labels '{name}'; there are: {known}.", command=_again(name))
        found = cls.read(folder)
        made, fold_digest = found.made, found.made.fold_digest if table is None else table.digest
        wanted = {"folds": fold_digest, "labels": workspace.labelled.digest}
        for (what, expected), received in zip(wanted.items(), (made.fold_digest, made.label_digest), strict=True):
            if expected != received:
                raise UserError(
                    f"The pseudo-labels '{name}' were made with other {what} (expected {short(expected)}, received "
                    f"{short(received)}).",
                    command=made.command,
                )
        if made.labels != workspace.competition.labels:
            text = f"The pseudo-labels '{name}' have other labels or another order than the competition."
            raise UserError(text, command=made.command)
        return replace(found, table=table)

    @classmethod
    def read(cls, folder: Path) -> PseudoLabels:
        """Return the pseudo-labels in a folder, whatever folds and labels they were made with.

        Raises:
            UserError: if their record is damaged, or of others.
        """
        made, files = read_record(folder / RECORD, _parsed, version=FORMAT, command=_again(folder.name))
        if made.name != folder.name:
            back = f"Rename it back to {folder.with_name(made.name)}, or take it away"
            raise UserError(f"{folder} holds the pseudo-labels '{made.name}'. {back}.", command=_again(folder.name))
        return cls(folder, made, files)

    @cached_property
    def digest(self) -> str:
        """Of the pseudo-labels of all folds."""
        return digest_json(self.files)

    def of_fold(self, fold: int) -> FoldLabels:
        """Read the pseudo-labels for the training of a fold.

        Raises:
            UserError: if there are none, they were changed, a network that made them saw the chips of the fold, or
                they are of these chips themselves.
        """
        name, path = self.made.name, self.folder / file_of(fold)
        networks = self.made.networks.get(fold)
        if not networks:
            raise UserError(f"The pseudo-labels '{name}' have none for fold {fold}.", command=self.made.command)
        for network in networks:
            for held in (network.fold, *([network.pseudo.fold] if network.pseudo else [])):
                if held != fold:
                    raise self._unclean(fold, f"'{network.model}' fold {held}")
        received = digest_file(path) if path.is_file() else ""
        if received != self.files.get(path.name):
            others = [int(other[4:-4]) for other, digest in self.files.items() if digest == received]
            if others:
                raise self._unclean(fold, f"networks of fold {others[0]}, as {path} is the file of that fold,")
            raise UserError(f"{path} is missing or was changed after it was written.", command=self.made.command)
        try:
            found = FoldLabels.read(path, len(self.made.labels))
        except Exception as error:  # NumPy and zipfile raise whatever they like on a damaged file
            reason = str(error).rstrip(".") or type(error).__name__
            raise UserError(f"{path} is damaged: {reason}.", command=self.made.command) from error
        if own := self._held(fold) & set(found.names):
            text = f"{path} labels {counted(len(own), 'chip')} that fold {fold} holds out: {first(sorted(own))}."
            raise UserError(text, command=self.made.command)
        return found

    def _held(self, fold: int) -> set[str]:
        """Return the ids of the chips that a fold holds out, as far as it is known."""
        if self.table is None:
            return set()
        return {name for name, held in zip(self.table.image_names, self.table.heldout(fold), strict=True) if held}

    def _unclean(self, fold: int, by: str) -> UserError:
        return UserError(
            f"The pseudo-labels '{self.made.name}' for fold {fold} are by {by} which learnt from the chips that fold "
            f"{fold} holds out: what learns from them would look better on these than it is.",
            command=self.made.command,
        )

    def said_of_change(self, workspace: Workspace) -> str:
        """Return a line that says that the scores they were made of are others by now; "" if they are not."""
        if not (models := self.changed(workspace)):
            return ""
        have, what = "has" if len(models) == 1 else "have", "features" if self.made.features else "scores"
        return f"The pseudo-labels '{self.made.name}' were made of earlier {what} than {first(models)} {have} now."

    def changed(self, workspace: Workspace) -> list[str]:
        """Return the models whose scores, or features, are no longer those that the pseudo-labels were made of."""
        if self.made.of == LABELLED:
            return [self.made.source] if changed_features(self.made.features, workspace) else []
        runs = workspace.root / RUNS  # also while something is begun again beside it
        every = [network for networks in self.made.networks.values() for network in networks]
        now = {each: scores_digest(runs, each.model, each.fold) for each in every}
        return list(dict.fromkeys(each.model for each in every if now[each] != each.scores))


def file_of(fold: int) -> str:
    """Return the name of the file of a fold."""
    return f"fold{fold}.npz"


def pseudo_names(workspace: Workspace) -> list[str]:
    """Return the names of the pseudo-labels of a workspace, sorted; also of those that have lost their record."""
    return sorted({path.parent.name for path in workspace.pseudo.glob("[!.]*/*") if path.suffix in (".json", ".npz")})


def every_pseudo(workspace: Workspace) -> Iterator[PseudoLabels]:
    """Yield the pseudo-labels of a workspace that can be read."""
    for name in pseudo_names(workspace):
        with suppress(UserError):
            yield PseudoLabels.read(workspace.pseudo / name)


def write_pseudo(workspace: Workspace, made: Made, labels: Mapping[int, FoldLabels]) -> PseudoLabels:
    """Write pseudo-labels; those that are there stay until the new ones are complete.

    Args:
        workspace: that they go to.
        made: what they were made with.
        labels: by fold.
    """
    folder = workspace.pseudo / checked_name("pseudo-labels", made.name)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with locked(lock_of(folder)), replace_folder(folder) as temporary:
        for fold, each in labels.items():
            names = np.array(each.names, dtype=np.str_)
            np.savez_compressed(temporary / file_of(fold), names=names, targets=each.targets, counted=each.counted)
        files = {file_of(fold): digest_file(temporary / file_of(fold)) for fold in labels}
        said = {"files": files, "versions": versions_of("planet-toolkit", "numpy"), "made": now()}
        write_record(temporary / RECORD, {**asdict(made), **said}, version=FORMAT)
    return PseudoLabels(folder, made, files)


def check_pseudo(folder: Path, table: FoldTable | None = None) -> None:
    """Read the pseudo-labels in a folder, which raises UserError if they are damaged or, by a table, not clean."""
    found = PseudoLabels.read(folder)
    if table and found.made.fold_digest == table.digest:  # those of earlier folds are refused when they are asked for
        found = replace(found, table=table)
    for fold in found.made.networks:
        found.of_fold(fold)


def _parsed(content: dict[str, Any]) -> tuple[Made, dict[str, str]]:
    try:
        said = {key: content[key] for key in Made.__dataclass_fields__ if key in content}
        made = TypeAdapter(Made).validate_python(said)
        files = TypeAdapter(dict[str, str]).validate_python(content["files"])
    except ValidationError as error:
        raise ValueError(describe(error)) from error
    if strange := [name for name in files if not re.fullmatch(r"fold\d+\.npz", name)]:
        raise ValueError(f"it names {strange[0]!r}")
    return made, files


def _again(name: str) -> str:
    return f"pseudo {name} --from BLEND"
