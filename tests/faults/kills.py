"""Kills over the whole chain: after each the same command is run again, and in the end nothing may differ.

`python -m tests.faults.kills --kills 200 --seed 0` kills verb after verb, several times each before it is let end,
compares what then lies in the workspace with what an undisturbed chain made, and prints the table after each chain.
Half of the kills come at a random moment, half right before a random change of a file, as Python's audit hooks tell of
them. The plan is made of the seed: the same seed kills before the same changes.
"""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from competition.common.text import readable
from competition.terminal.tables import table
from tests.faults.artefacts import Finished, digests_of, left_over
from tests.faults.chain import STEPS, Places, Step, make_shared
from tests.faults.processes import Ended, Kill, run, start_server

SIGNALS = (signal.SIGKILL,) * 8 + (signal.SIGINT, signal.SIGTERM)
MOST = 8  # kills of one verb before it is let end
EXPECTED = {0, -signal.SIGKILL, -signal.SIGTERM, 128 + signal.SIGTERM, 130}  # TERM is met before the verb, or by it


@dataclass(frozen=True)
class Undisturbed:
    """One verb, when nothing comes between.

    Attributes:
        ended: how it ended.
        digests: of everything in the workspace afterwards.
    """

    ended: Ended
    digests: dict[str, str]


@dataclass
class Tally:
    """What kills of one verb have led to; the lists name what should not be.

    Attributes:
        kills: by signal, those that met the verb at work.
        late: how often it had ended before.
        leftovers: bytes of files that should not be there in the end, by kind.
    """

    kills: Counter[str] = field(default_factory=Counter)
    late: int = 0
    lost: list[str] = field(default_factory=list)
    recomputed: list[str] = field(default_factory=list)
    differing: list[str] = field(default_factory=list)
    tracebacks: list[str] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)
    leftovers: dict[str, int] = field(default_factory=dict)

    @property
    def faults(self) -> list[str]:
        """Everything that should not be, but for leftovers."""
        named = ("lost", "recomputed", "differing", "tracebacks", "codes")
        return [f"{name}: {what}" for name in named for what in getattr(self, name)]

    def row(self, name: str) -> list[str]:
        """Return the tally as a row of the table."""
        lists = (self.lost, self.recomputed, self.differing, self.tracebacks, self.codes)
        left = f"{len(self.leftovers)}, {readable(sum(self.leftovers.values()))}" if self.leftovers else "0"
        signals = (self.kills["SIGKILL"], self.kills["SIGINT"], self.kills["SIGTERM"], self.late)
        return [name, *map(str, signals), *(str(len(found)) for found in lists), left]


HEAD = [
    "verb",
    "KILL",
    "INT",
    "TERM",
    "too late",
    "lost",
    "recomputed",
    "differing",
    "tracebacks",
    "codes",
    "leftovers",
]


def undisturbed_chain(places: Places, steps: Sequence[Step]) -> list[Undisturbed]:
    """Run verbs one after another, and note what each made."""
    made = []
    for step in steps:
        ended = run(places.words(step), places.workspace)
        assert ended.code == 0, f"{step.name}: {ended.output}"
        made.append(Undisturbed(ended, digests_of(places.workspace)))
    return made


def plan(step: Step, undisturbed: Ended, count: int, luck: random.Random) -> list[Kill]:
    """Return kills of one verb: half at a moment, half before a change; early ones where it goes on where it was."""
    kills = []
    for _ in range(count):
        number, share = luck.choice(SIGNALS), luck.random() ** (2 if step.keeps else 1)
        moment, change = share * undisturbed.seconds, int(share * undisturbed.changes)
        kills.append(Kill(number, after=moment) if luck.random() < 0.5 else Kill(number, change=change))
    return kills


def disturb(places: Places, step: Step, kills: Sequence[Kill], expected: Undisturbed, tally: Tally) -> None:
    """Run a verb under kills, and then to its end; add what came of it to the tally."""
    left = [*kills, None]
    while left:
        kill = left.pop(0)
        before = Finished.of(places.workspace)
        ended = run(places.words(step), places.workspace, kill)
        where = f"{kill} of {step.name}"
        if kill and ended.code in (-kill.signal, 128 + kill.signal):
            tally.kills[kill.signal.name] += 1
        elif kill:
            tally.late += 1
            left = [None] if step.keeps else left
        if ended.has_traceback:
            tally.tracebacks.append(f"{where}: {ended.output[-3000:]}")
        if ended.code not in (EXPECTED if kill else {0}):
            tally.codes.append(f"{ended.code} after {where}: {ended.output[-1000:]}")
        if step.keeps:
            tally.recomputed += [f"{name} by {where}" for name in before.made_again(Finished.of(places.workspace))]
    now = digests_of(places.workspace)
    tally.lost += [f"{name} by {step.name}" for name in expected.digests if name not in now]
    tally.differing += [
        f"{name} by {step.name}" for name, digest in expected.digests.items() if now.get(name, digest) != digest
    ]
    tally.leftovers |= left_over(places.workspace, set(expected.digests))


def kill_chain(
    shared: Path, folder: Path, steps: Sequence[Step], kills: int, seed: int, *, most: int = MOST, say: bool = False
) -> dict[str, Tally]:
    """Disturb chain after chain until there were so many kills; return the tallies by verb.

    Args:
        shared: see `make_shared`.
        folder: for the workspaces; empty.
        steps: the chain.
        kills: how many must have met a verb at work.
        seed: of the plan.
        most: kills of one verb before it is let end.
        say: show the table after each chain, and faults when they are found.
    """
    # One path for all: what names its workspace is then the same.
    places, luck = Places(shared, folder / "workspace"), random.Random(seed)
    places.workspace.mkdir()
    expected = undisturbed_chain(places, steps)
    tallies = {step.name: Tally() for step in steps}
    rounds = 0
    while sum(tally.kills.total() for tally in tallies.values()) < kills and rounds < kills:
        shutil.rmtree(places.workspace)
        places.workspace.mkdir()
        for step, as_expected in zip(steps, expected, strict=True):
            tally = tallies[step.name]
            known = len(tally.faults)
            kills_of_one = plan(step, as_expected.ended, luck.randint(1, most), luck)
            disturb(places, step, kills_of_one, as_expected, tally)
            if say:
                print(*tally.faults[known:], sep="\n", end="\n" if tally.faults[known:] else "", flush=True)
        rounds += 1
        if say:
            print(f"After {rounds} chains:\n{text_of(tallies)}", flush=True)
    return tallies


def text_of(tallies: dict[str, Tally]) -> str:
    """Return the table, and the kinds of files that were left over."""
    total = Tally()
    for tally in tallies.values():
        total.kills += tally.kills
        total.late += tally.late
        for name in ("lost", "recomputed", "differing", "tracebacks", "codes"):
            getattr(total, name).extend(getattr(tally, name))
        total.leftovers |= tally.leftovers
    rows = [tally.row(name) for name, tally in {**tallies, "all": total}.items()]
    left = [f"left over: {kind}, {readable(size)}" for kind, size in sorted(total.leftovers.items())]
    return "\n".join([table(HEAD, rows), *left])


def main() -> int:
    """Run it all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    start_server("tests.faults.imports")
    with tempfile.TemporaryDirectory() as folder:
        shared = Path(folder) / "shared"
        shared.mkdir()
        make_shared(shared)
        tallies = kill_chain(shared, Path(folder), STEPS, given.kills, given.seed, say=True)
    return 1 if any(tally.faults for tally in tallies.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
