"""A submission that is valid at any moment: the best constant answer first, then what the models have said so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from competition.common.files import digest_file, replace_atomically
from competition.common.records import check_beside, read_record, write_record
from competition.kernels.folder import ANSWERS, FORMAT
from competition.spec.competition import Competition
from competition.tables.sample import SampleSubmission
from competition.tables.write import write_table
from folds.store.scores import mean_of
from submissions.combine.vote import Vote
from submissions.notebook.fitted import apart, restored, together

ARRAYS, COMPETITION = "arrays.npz", "competition.json"


class Said(Protocol):
    """What a model has said of the chips so far.

    Attributes:
        counts: int array (num_chips,): how often it has scored each.
        broken: bool array (num_chips,): which it cannot read.
    """

    counts: NDArray[np.int64]
    broken: NDArray[np.bool_]

    def by_fold(self) -> dict[int, NDArray[np.float32]]:
        """Return by fold the scores (num_chips, num_labels); NaN where there are none."""


@dataclass
class Answers:
    """Writes submissions of what models have said.

    Attributes:
        competition: the competition.
        tree: of combiners, down to the models.
        rule: that decides.
        models: the most useful first.
        shares: float array (num_labels,): of the labelled chips, how many carry each label.
        constant: array (num_labels,): the best answer for a chip of which nothing is known.
    """

    competition: Competition
    tree: dict[str, Any]
    rule: Any
    models: tuple[str, ...]
    shares: NDArray[np.float64]
    constant: NDArray[Any]
    _combiners: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> Answers:
        """Read what `write_answers` has written.

        Raises:
            UserError: if it is damaged.
        """

        def parse(content: dict[str, Any]) -> Answers:
            check_beside(folder / ANSWERS, content["files"])
            competition = Competition.model_validate_json((folder / COMPETITION).read_text(encoding="utf-8"))
            with np.load(folder / ARRAYS, allow_pickle=False) as file:
                values = together(content["values"], dict(file))
            rule = restored(values["rule"], competition)
            return cls(competition, values["tree"], rule, tuple(values["models"]), values["shares"], values["constant"])

        return read_record(folder / ANSWERS, parse, version=FORMAT)

    def of(self, num_chips: int, said: Mapping[str, Said]) -> NDArray[Any]:
        """Return the answers (num_chips, num_labels) for some chips.

        A chip that no model has scored yet gets the constant answer; one that cannot be read that of the labels'
        shares, as in training.

        Args:
            num_chips: how many these are.
            said: what every model has said of them, by its name; of none, nothing is known.
        """
        answers = np.broadcast_to(self.constant, (num_chips, len(self.shares))).copy()
        if not said:
            return answers
        broken = np.any([each.broken for each in said.values()], axis=0)
        answers[broken] = self.rule.predict(self.shares[None].astype(np.float32))[0]
        by_model = {name: each.by_fold() for name, each in said.items()}
        known = np.stack([each.counts > 0 for each in said.values()], axis=1)
        known &= ~broken[:, None]
        for pattern in np.unique(known, axis=0):
            rows = np.flatnonzero((known == pattern).all(axis=1))
            there = {name for name, has in zip(said, pattern, strict=True) if has}
            scores = self._scores(self.tree, {name: by_model[name] for name in there}, rows)
            if scores is not None and not np.isnan(scores).any():
                answers[rows] = self.rule.predict(scores)
        return answers

    def _scores(
        self, tree: dict[str, Any], by_model: Mapping[str, Mapping[int, NDArray[np.float32]]], rows: NDArray[np.intp]
    ) -> NDArray[np.float32] | None:
        """Return the scores (len(rows), num_labels) of a model or blend; None where nothing in it has any."""
        folds = self._folds(tree, by_model, rows)
        return mean_of(folds) if folds else None

    def _folds(
        self, tree: dict[str, Any], by_model: Mapping[str, Mapping[int, NDArray[np.float32]]], rows: NDArray[np.intp]
    ) -> list[NDArray[np.float32]]:
        """Return the scores of a model by each of its folds, or those of a blend; nothing where there are none."""
        if "model" in tree:
            return [scores[rows] for scores in by_model.get(tree["model"], {}).values()]
        combiner = self._combiner(tree)
        members = [self._folds(member, by_model, rows) for member in tree["members"]]
        there = [member for member in members if member]
        if not there:
            return []
        nothing = np.full(there[0][0].shape, np.nan, dtype=np.float32)
        scores = np.stack([mean_of(member) if member else nothing for member in members])
        if np.isnan(scores).all(axis=0).any():  # a label that none of them scores
            return []
        return [_vote(combiner, members) if isinstance(combiner, Vote) else combiner.predict(scores)]

    def _combiner(self, tree: dict[str, Any]) -> Any:
        if tree["blend"] not in self._combiners:
            self._combiners[tree["blend"]] = restored(tree["combiner"], self.competition)
        return self._combiners[tree["blend"]]

    def write(self, path: Path, sample: SampleSubmission, said: Mapping[str, Said]) -> None:
        """Write a submission of what is known; the one that is there stays until the new one is complete."""
        with replace_atomically(path) as temporary:
            write_table(
                temporary,
                sample.names,
                self.of(len(sample.names), said),
                self.competition.submission_form,
                self.competition.labels,
                decimals=self.competition.submission.decimals,
                columns=sample.columns,
                pairs=sample.pairs,
            )


def _vote(vote: Vote, members: Sequence[Sequence[NDArray[np.float32]]]) -> NDArray[np.float32]:
    """Return the vote of those members that have scores."""
    there = [number for number, member in enumerate(members) if member]
    of_those = Vote(vote.make_rule, vote.union)
    of_those.cuts = vote.cuts[there]
    return of_those.count([members[number] for number in there])


def write_answers(folder: Path, competition: Competition, values: dict[str, Any]) -> None:
    """Write what `Answers` reads.

    Args:
        folder: receives it.
        competition: the competition.
        values: `tree`, `rule`, `models`, `shares` and `constant`, combiners and rules as `kept` gives them.
    """
    arrays: dict[str, NDArray[Any]] = {}
    content = apart(values, arrays)
    (folder / COMPETITION).write_text(competition.model_dump_json(), encoding="utf-8")
    np.savez(folder / ARRAYS, allow_pickle=False, **arrays)
    files = {name: digest_file(folder / name) for name in (COMPETITION, ARRAYS)}
    write_record(folder / ANSWERS, {"values": content, "files": files}, version=FORMAT)
