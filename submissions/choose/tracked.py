"""A comparison as an entry of a tracker: one run, with a figure for each candidate and the table as a file."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from competition.common.files import digest_json, versions_of
from competition.terminal.command_line import shown
from competition.tracking.entry import Entry, Figure
from competition.tracking.tracker import Tracker
from competition.workspace import Workspace
from folds.store.score_store import ScoreStore
from submissions.choose.compare import Comparison

GROUP = "compare"


class ComparisonTracker:
    """Brings comparisons into line with a tracker; the same one, made again, is kept once.

    Args:
        workspace: whose members are compared.
        track: the word of `--track`; None: nothing is kept.

    Raises:
        UserError: if the tracker cannot be had, which is seen before the work.
    """

    def __init__(self, workspace: Workspace, track: str | None) -> None:
        self._workspace, self._tracker = workspace, Tracker(workspace, track)

    def keep(self, comparison: Comparison, **flags: Any) -> None:
        """Keep a comparison.

        Args:
            comparison: what was found.
            flags: what it was made by; None and False need not be said.

        Raises:
            UserError: if it was not kept.
        """

        def entries() -> dict[str, Callable[[], Entry]]:
            store, found = ScoreStore.of(self._workspace), comparison.as_dict()
            tags = {"fold table": store.table.digest, "labels": self._workspace.labelled.digest}
            return {digest_json([tags, found]): lambda: _entry(comparison, found, tags, flags)}

        self._tracker.keep(GROUP, entries)
        self._tracker.end()


def _entry(comparison: Comparison, found: dict[str, Any], tags: dict[str, str], flags: Mapping[str, Any]) -> Entry:
    chosen, best, metric = comparison.chosen.evaluation, comparison.best.evaluation, comparison.reference.metric.title
    figures = [
        Figure(f"chosen {metric}", chosen.cross_fitted),
        Figure(f"best {metric}", best.cross_fitted),
        Figure(f"choosing {metric}", found["choosing"]["cross_fitted"]),
    ]
    every = [candidate.evaluation for candidate in comparison.candidates]
    figures += [Figure(f"cross-fitted/{one.name}", one.cross_fitted) for one in every]
    made = versions_of("planet-toolkit", "numpy", "scikit-learn", "lightgbm", "optuna")
    now = time.time()
    return Entry(
        name=f"compare {len(every)} candidates",
        began=now - sum(one.seconds for one in every),
        ended=now,
        settings={name: shown(value) for name, value in flags.items() if value not in (None, False, ())},
        tags={
            "chosen": chosen.name,
            **tags,
            **{f"version of {package}": version for package, version in made.items()},
        },
        figures=figures,
        texts={
            "candidates.csv": _table(found["candidates"]),
            "comparison.json": json.dumps(found, indent=2, ensure_ascii=False) + "\n",
        },
    )


def _table(rows: list[dict[str, Any]]) -> str:
    """Return candidates as CSV; what is a list, such as an interval, has its values joined by blanks."""
    file = io.StringIO()
    writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow(
            {name: " ".join(map(str, value)) if isinstance(value, list) else value for name, value in row.items()}
        )
    return file.getvalue()
