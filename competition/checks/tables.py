"""What is wrong with the tables: ids, tags, the rules that labels keep, and right names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from competition.checks.report import Finding, about
from competition.common.text import first
from competition.spec.competition import Competition
from competition.spec.images import ImageSet
from competition.tables.label_table import LabelRows
from competition.tables.labels import to_multi_hot

if TYPE_CHECKING:
    import pandas as pd


def check_ids(name: str, ids: Sequence[str]) -> Iterator[Finding]:
    """Find ids that occur more than once.

    Args:
        name: of the table, for the finding.
        ids: its ids.
    """
    yield from about("error", f"{name}: repeated ids", [value for value, n in Counter(ids).items() if n > 1])


def check_labels(table: LabelRows, competition: Competition) -> tuple[NDArray[np.bool_], list[Finding]]:
    """Find what is wrong in a table of labels, and what is odd though it can be used.

    Args:
        table: the table of labels.
        competition: its labels and their rules.

    Returns:
        Bool array (num_chips, num_labels) of what can be read, and the findings.
    """
    name, ids = ", ".join(competition.tables.train), np.array(table.names, dtype=object)
    problems = [*table.problems, *table.repeated_ids(), *table.unknown_tags(competition)]
    findings = [Finding("error", f"{name}: {problem.text()}.") for problem in problems]
    repeating = [chip for chip, tags in zip(table.names, table.tags, strict=True) if len(set(tags)) < len(tags)]
    findings += about("note", f"{name}: chips that repeat a tag, which changes nothing", repeating)
    known = frozenset(competition.labels)
    truth = to_multi_hot(([tag for tag in tags if tag in known] for tags in table.tags), competition)
    findings += _check_rules(truth, competition, ids)
    unused = [label for label, column in competition.label_index.items() if not truth[:, column].any()]
    if unused and table.is_table:
        findings.append(Finding("warning", f"{name}: no chip carries {first(unused)}; that cannot be learned."))
    return truth, findings


def check_renaming(
    table: pd.DataFrame, images: ImageSet, on_disk: Sequence[Path], test: Sequence[str] | None
) -> Iterator[Finding]:
    """Find what is wrong in a table of right names: it must give each file one name of its own, and a known one.

    Args:
        table: the table, columns `old` and `new`.
        images: the rendering it is for.
        on_disk: folders with the files; empty if there are none.
        test: ids of the sample submission, if there is one.
    """
    name, suffix = images.renamed, images.suffix[0]
    old, new = table["old"].tolist(), table["new"].tolist()
    yield from check_ids(f"{name}, column old", old)
    yield from check_ids(f"{name}, column new", new)
    bare = [entry for entry in chain(old, new) if not entry.lower().endswith(suffix.lower())]
    yield from about("error", f"{name}: names that do not end in {suffix}", bare)
    if test is not None:
        known = {entry + suffix for entry in test}
        yield from about("error", f"{name}: new names that are not in the sample submission", _without(new, known))
    if on_disk:
        there = {path.name for folder in on_disk for path in folder.iterdir()}
        yield from about("warning", f"{name}: old names without a file", _without(old, there))
    kind = "a permutation" if sorted(old) == sorted(new) else "not a permutation: old and new are different sets"
    yield Finding("note", f"{name} renames {len(old):,} chips; it is {kind}.")


def _without(names: Sequence[str], known: set[str]) -> list[str]:
    return [name for name in names if name not in known]


def _check_rules(truth: NDArray[np.bool_], competition: Competition, ids: NDArray[Any]) -> Iterator[Finding]:
    """Find rows that carry none or several labels of an exclusive group, or company of a label that stands alone."""
    name = ", ".join(competition.tables.train)
    for group, columns in zip(competition.exclusive, competition.exclusive_columns, strict=True):
        carried = truth[:, columns].sum(axis=1)
        yield from about("warning", f"{name}: chips with none of {', '.join(group)}", ids[carried == 0])
        yield from about("warning", f"{name}: chips with several of {', '.join(group)}", ids[carried > 1])
    for label in competition.alone:
        together = truth[:, competition.label_index[label]] & (truth.sum(axis=1) > 1)
        yield from about("warning", f"{name}: chips with {label} and other labels", ids[together])
    bare = ~truth.any(axis=1)
    if not competition.exclusive:  # otherwise named above
        yield from about("note", f"{name}: chips without a label", ids[bare])
