"""Which two submissions to select: the pair of the highest expected better one on the private part, and all others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UserError
from competition.common.text import counted
from competition.spec.metric import Metric
from competition.terminal.tables import table
from competition.workspace import Workspace
from submissions.final.agreeing import measure_agreement
from submissions.final.finalists import Finalists, find_finalists, without_far
from submissions.final.pairs import Pair, rank_pairs
from submissions.final.posterior import Known, Sizes, draw_private
from submissions.measure.shake_up import public_chips
from submissions.submit.entry import Entry

MOST = 60  # submissions of which every pair is looked at
SHOWN = 10
PAGE = "https://www.kaggle.com/competitions/{}/submissions"


@dataclass(frozen=True, eq=False)
class Choice:
    """Which two submissions to select.

    Attributes:
        finalists: to select from.
        metric: the competition's.
        draws: float array (num_draws, num_finalists) of private scores; more is better.
        sizes: numbers of chips.
        slug: Kaggle's name of the competition.
        assumed: finalists whose agreement with the others is supposed.
    """

    finalists: Finalists
    metric: Metric
    draws: NDArray[np.float64]
    sizes: Sizes
    slug: str
    assumed: int

    @cached_property
    def pairs(self) -> list[Pair]:
        """Every pair, the best first."""
        return rank_pairs(self.draws)

    @cached_property
    def best(self) -> NDArray[np.float64]:
        """How often each finalist is the best of all, (num_finalists,)."""
        counts = np.bincount(self.draws.argmax(axis=1), minlength=self.draws.shape[1])
        return np.asarray(counts / len(self.draws))

    def text(self) -> str:
        """Return the finalists, the pairs, and what to do."""
        return "\n".join([self._finalists(), "", self._pairs(), "", *self.lines])

    def as_dict(self) -> dict[str, Any]:
        """Return the same, for JSON."""
        names, sign = self.finalists.names, self.metric.sign
        means, errors = self.draws.mean(axis=0), self.draws.std(axis=0)
        finalists = [
            {
                "name": names[i],
                **{field: getattr(entry, field) for field in ("ref", "cross_fitted", "public", "private")},
                "expected": float(sign * means[i]),
                "error": float(errors[i]),
                "best": float(self.best[i]),
            }
            for i, entry in enumerate(self.finalists.entries)
        ]
        pairs = [
            {**asdict(pair), "first": names[pair.first], "second": names[pair.second], "expected": sign * pair.expected}
            for pair in self.pairs
        ]
        chosen = [finalists[column] for column in (self.pairs[0].first, self.pairs[0].second)]
        return {
            "metric": self.metric.title,
            "chips": self.sizes._asdict(),
            "chosen": chosen,
            "finalists": finalists,
            "pairs": pairs,
            "notes": self.lines,
        }

    @property
    def lines(self) -> list[str]:
        """What to select and where, and what it rests on."""
        names, best = self.finalists.names, self.pairs[0]
        entries = [self.finalists.entries[column] for column in (best.first, best.second)]
        shown = " and ".join(f"{names[i]} ({self.finalists.entries[i].ref})" for i in (best.first, best.second))
        lines = [
            f"Select {shown}: of the two the better one is expected at {self.metric.sign * best.expected:.5f} in "
            f"private. Kaggle takes the selection by hand alone, at {PAGE.format(self.slug)}.",
            f"Noise by {self.sizes.public:,} chips public, {self.sizes.private:,} private, and {self.sizes.labelled:,} "
            "labelled. `behind`: in units of .0001; `wins`, `same`: how often the better of a pair beats that of the "
            "first pair, or is the same; otherwise the first pair wins.",
        ]
        if self.assumed:
            lines.append(
                f"The agreement of {counted(self.assumed, 'submission')} with the others on labelled chips is supposed "
                "(their out-of-fold scores are not here)."
            )
        return [*lines, *self.finalists.notes, *self._known_already(entries)]

    def _known_already(self, chosen: Sequence[Entry]) -> list[str]:
        """Return what became of the choice, where the private scores are out."""
        if any(entry.private is None for entry in self.finalists.entries):
            return []
        private = np.array([entry.private for entry in self.finalists.entries], dtype=float) * self.metric.sign
        reached = max(self.metric.sign * entry.private for entry in chosen if entry.private is not None)
        return [
            f"The private scores are out, and played no part: the better of the two has "
            f"{self.metric.sign * reached:.5f}, the best of all {self.metric.sign * private.max():.5f} "
            f"({self.finalists.names[int(private.argmax())]})."
        ]

    def _finalists(self) -> str:
        names, means, errors = self.finalists.names, self.draws.mean(axis=0), self.draws.std(axis=0)
        order = np.argsort(-means, kind="stable")
        rows = []
        for i in order[:SHOWN]:
            entry, mean = self.finalists.entries[i], self.metric.sign * means[i]
            expected = [f"{mean:.5f}", f"{errors[i]:.5f}", f"{self.best[i]:.0%}"]
            rows.append([names[i], _score(entry.cross_fitted), _score(entry.public), *expected])
        chosen = {self.pairs[0].first, self.pairs[0].second}
        marked = [row for row, column in enumerate(order[:SHOWN]) if column in chosen]
        headers = ["submission", "cross-fitted", "public", "private, expected", "±", "best"]
        return table(headers, rows, marked=marked)

    def _pairs(self) -> str:
        names = self.finalists.names
        rows = [
            [
                f"{names[pair.first]} + {names[pair.second]}",
                f"{self.metric.sign * pair.expected:.5f}",
                f"{1e4 * pair.behind:.2f} ± {1e4 * pair.error:.2f}",
                f"{pair.wins:.0%}",
                f"{pair.same:.0%}",
            ]
            for pair in self.pairs[:SHOWN]
        ]
        return table(["pair", "better of two", "behind", "wins", "same"], rows, marked=[0])


def choose_two(entries: Sequence[Entry], workspace: Workspace, public: float) -> Choice:
    """Choose two submissions.

    Args:
        entries: of the ledger.
        workspace: of the competition.
        public: share of the chips to predict behind a public score, between 0 and 1.

    Raises:
        UserError: if there are not two submissions with a score, or a part of the chips to predict would be empty.
    """
    metric, total = workspace.competition.metric, len(workspace.test_names)
    num_public = public_chips(public, total)
    finalists = find_finalists(entries, metric)
    _check(finalists, len(entries))
    agreeing = measure_agreement(finalists.entries, workspace)
    near = without_far(finalists, metric, float(np.sqrt(agreeing.per_chip.diagonal().max() / num_public)))
    if len(near.entries) > MOST:
        near = _most_promising(near, metric)
    kept = [finalists.entries.index(entry) for entry in near.entries]
    sizes = Sizes(agreeing.labelled, num_public, total - num_public)
    ours, shown = near.scores(metric)
    draws = draw_private(Known(ours, shown, agreeing.per_chip[np.ix_(kept, kept)], sizes))
    assumed = int((~agreeing.measured[kept]).sum())
    return Choice(near, metric, draws, sizes, workspace.competition.slug or "", assumed)


def _check(finalists: Finalists, num_entries: int) -> None:
    """Refuse a ledger that leaves nothing to choose."""
    count, notes = len(finalists.entries), "".join(f" {note}" for note in finalists.notes)
    if count >= 2:
        return
    if not num_entries:
        text = "No submissions yet: there is nothing to choose from."
    elif not count:
        text = f"None of {counted(num_entries, 'submission')} can be selected and has a score.{notes}"
    else:
        text = f"Only {finalists.names[0]} can be selected and has a score, so it is one of the two.{notes}"
    raise UserError(text, command={"to pull scores, also of what was submitted elsewhere": "submissions sync"})


def _most_promising(finalists: Finalists, metric: Metric) -> Finalists:
    """Return the finalists of the highest scores, where they are too many for every pair."""
    scores = np.stack(finalists.scores(metric))
    ranks = [np.where(np.isnan(of), of.size, np.argsort(np.argsort(-of))) for of in scores]
    promising = set(np.argsort(np.min(ranks, axis=0), kind="stable")[:MOST].tolist())
    note = f"Left out: {len(finalists.entries) - MOST} submissions that are below {MOST} others by either score."
    kept = tuple(entry for number, entry in enumerate(finalists.entries) if number in promising)
    return Finalists(kept, (*finalists.notes, note))


def _score(value: float | None) -> str:
    return "" if value is None else f"{value:.5f}"
