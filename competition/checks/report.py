"""What a check of the data has to say, and how it is shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from competition.common.text import SHOWN, counted, cut, first
from competition.terminal.tables import table

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
MOST_LABELS, ENDS = 60, 20  # labels in the table; of more, so many of the rarest and of the most frequent


@dataclass(frozen=True)
class Finding:
    """One thing worth knowing about the data.

    Attributes:
        severity: "error" spoils training or a submission, "warning" may cost score, "note" is harmless.
        text: one line.
    """

    severity: Severity
    text: str


def about(severity: Severity, text: str, ids: Iterable[object], shown: int = SHOWN) -> list[Finding]:
    """Return one finding with the number of `ids` and the first of them; none if there are no ids."""
    listed = list(ids)
    return [Finding(severity, f"{text} ({len(listed):,}): {first(listed, shown)}.")] if listed else []


@dataclass(frozen=True)
class ChipCount:
    """The chips of one rendering and split.

    Attributes:
        rendering: its name in the competition file.
        split: "train", "test" or "further".
        files: number of chip files.
        listed: number of ids in the table of the split; None without a table.
        decoded: number of chips that were decoded.
        kinds: shapes and data types of the chips, the most frequent first.
    """

    rendering: str
    split: str
    files: int
    listed: int | None
    decoded: int
    kinds: tuple[str, ...]


@dataclass(frozen=True)
class CheckReport:
    """What `check_data` found.

    Attributes:
        title: the competition's.
        root: the workspace.
        chips: counts by rendering and split.
        support: number of chips of each label, in the competition's label order.
        num_labelled: rows of the table of labels.
        findings: errors first, notes last.
    """

    title: str
    root: Path
    chips: tuple[ChipCount, ...]
    support: dict[str, int]
    num_labelled: int
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing would spoil training or a submission."""
        return not any(finding.severity == "error" for finding in self.findings)

    def text(self) -> str:
        """Return the summary: chips, labels with the rarest first, findings, and the verdict as the last line."""
        findings = "\n".join(f"{finding.severity:<7}  {finding.text}" for finding in self.findings)
        parts = [f"{self.title} in {self.root}", self._chip_table(), self._label_table(), findings, self._verdict()]
        return "\n\n".join(part for part in parts if part)

    def as_dict(self) -> dict[str, Any]:
        """Return the report for JSON."""
        return {**asdict(self), "root": str(self.root), "ok": self.ok}

    def _chip_table(self) -> str:
        rows = [
            [
                chips.rendering,
                chips.split,
                *map(_number, (chips.listed, chips.files, chips.decoded)),
                first(chips.kinds, shown=2),
            ]
            for chips in self.chips
        ]
        headers = ["images", "split", "in table", "files", "decoded", "height x width x bands"]
        return table(headers, rows, "llrrrl") if rows else ""

    def _label_table(self) -> str:
        rarest = sorted(self.support.items(), key=lambda item: item[1])
        rows = [
            [cut(label), _number(count), f"{count / self.num_labelled:.2%}"] for label, count in rarest if rarest[-1][1]
        ]
        if len(rows) > MOST_LABELS:
            left_out = len(rows) - 2 * ENDS
            rows = [*rows[:ENDS], [f"... and {left_out:,} more", "", ""], *rows[-ENDS:]]
        return table(["label", "chips", "share"], rows) if rows else ""

    def _verdict(self) -> str:
        counts = Counter(finding.severity for finding in self.findings)
        said = ", ".join(counted(counts[severity], severity) for severity in SEVERITIES)
        return f"Ready: {said}." if self.ok else f"Not ready: {said}. Errors spoil training or a submission."


def _number(count: int | None) -> str:
    return "-" if count is None else f"{count:,}"
