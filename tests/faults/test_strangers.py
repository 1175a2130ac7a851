"""What strangers hand over is taken, or refused in one line: in bounded time and memory, and nothing is changed.

    python -m tests.faults.test_strangers

shows a table of every case by every reader.
"""

from __future__ import annotations

import functools
import hashlib
import shlex
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

import run
from competition.common.errors import UserError
from tests.faults.bounded import Outcome, all_bounded, bounded
from tests.faults.corpus import Case, archives, chips, scenes, scores, tables, texts
from tests.faults.fuzz import FOUND
from tests.faults.readers import READERS

OF_TEXTS = {"competition": {**texts.COMPETITIONS, **texts.TAKEN}, "recipes": texts.RECIPES, "record": texts.RECORDS}
CASES: dict[str, dict[str, Case]] = {
    "chips": chips.CASES,
    "tables": tables.CASES,
    "archives": archives.CASES,
    "scores": scores.CASES,
    "scenes": scenes.CASES,
    "texts": {f"{how}: {name}": case for how, cases in OF_TEXTS.items() for name, case in cases.items()},
}
# The way of each reader by which everything that is to be refused is refused.
STRICT = {"chips": "chip", "tables": "labels", "archives": "unpack", "scores": "import", "scenes": "features"}
TAKEN = {
    **{
        "chips": {*chips.EITHER},
        "tables": {*tables.EITHER},
        "archives": {*archives.EITHER},
        "scores": {*scores.EITHER},
        "scenes": {*scenes.EITHER},
    },
    "texts": {f"competition: {name}" for name in texts.TAKEN},
}
LONG = {  # seconds, or hundreds of MB to write
    "bomb.webp",
    "bomb of 16 bits",
    "bomb.tif",
    "bomb below the limit",
    "bomb of 16 bits below the limit",
    "bomb below the limit.tif",
    "a table of 900 MB in an archive",
    "10,000,000 rows of one id",
    "1,000,000 columns",
    "1,000,000 empty columns",
    "1,000,000 cells in a row",
    "carriage returns",
    "a cell of 100 MB",
    "a header of 100 MB",
    "a quoted cell of 100 MB",
    "xmp of 50 MB",
    "zips in zips",
    "20,000 members",
    "a 7z of 1 GB",
    "3 GB, packed",
    "members that overlap",
    "a size of 0 that is 900 MB",
    "a size of 10 that is 900 MB",
    "4 GB, packed",
    "100,000 features",
    "200,000 corners, over each other",
    "competition: 1,000,000 labels",
    "competition: 100,000 unknown entries",
}


def outcomes(reader: str, names: Iterable[str], folder: Path) -> Iterator[tuple[str, str, Outcome]]:
    """Yield each case, each way of a reader, and what becomes of the one by the other."""
    tried: list[tuple[str, str, Callable[[], object]]] = []
    for number, name in enumerate(names):
        ways = READERS[reader]
        if reader == "texts":
            how, _, _ = name.partition(": ")
            ways = {how: ways[how]}
        (inside := folder / str(number)).mkdir()
        path = CASES[reader][name](inside)
        tried += [(name, how, functools.partial(read, path)) for how, read in ways.items()]
    for (name, how, _), outcome in zip(tried, all_bounded([action for _, _, action in tried]), strict=False):
        yield name, how, outcome


def faults(reader: str, names: Iterable[str], folder: Path) -> list[str]:
    """Return what is wrong with what becomes of some cases."""
    found = []
    for name, how, outcome in outcomes(reader, names, folder):
        found += [f"{name} by {how}: {fault}" for fault in outcome.faults()]
        if how == STRICT.get(reader, how) and name not in TAKEN[reader] and not outcome.line:
            found.append(f"{name} by {how}: taken")
    return found


@pytest.mark.parametrize("reader", CASES)
def test_what_a_stranger_hands_over_is_taken_or_refused_in_one_line(reader: str, tmp_path: Path) -> None:
    assert faults(reader, [name for name in CASES[reader] if name not in LONG], tmp_path) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("reader", "name"), [(reader, name) for reader in CASES for name in CASES[reader] if name in LONG]
)
def test_what_is_large_is_bounded_too(reader: str, name: str, tmp_path: Path) -> None:
    assert faults(reader, [name], tmp_path) == []


@pytest.mark.parametrize("path", sorted(FOUND.glob("*")), ids=lambda path: path.name)
def test_what_fuzzing_has_found_is_mended(path: Path, tmp_path: Path) -> None:
    reader, digest, name = path.name.split("-", 2)
    assert hashlib.sha256(path.read_bytes()).hexdigest().startswith(digest)
    (tmp_path / name).write_bytes(path.read_bytes())
    for outcome in all_bounded([functools.partial(read, tmp_path / name) for read in READERS[reader].values()]):
        assert outcome.faults() == []


def held(folder: Path) -> dict[str, tuple[int, str]]:
    """Return what lies in a folder: the date and digest of each file; locks, which say who holds them, play no part."""
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest())
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "lock" not in path.name
    }


def refused_by(command: str, *arguments: object) -> Outcome:
    """Run a verb in a process of its own; its one line is the outcome's, where it ended with 2."""

    def action() -> None:
        done = CliRunner().invoke(run.main, [*shlex.split(command), *map(str, arguments)], catch_exceptions=False)
        assert (done.exit_code, done.stdout) == (2, ""), (done.exit_code, done.output[:300])
        assert "\x1b" not in done.output
        raise UserError(done.stderr.removesuffix("\n"))

    return bounded(action)


VERBS: dict[str, Case] = {
    "submit {path} --dry-run {here}": tables.CASES["escapes in a header"],
    "folds --from {path} --force {here}": tables.CASES["escapes in a header"],
    "folds --group {path} --force {here}": tables.CASES["NUL bytes"],
    "scores import --name x {path} {here}": scores.CASES["a pickle as scores"],
    "scores import --name y {path} {here}": scores.CASES["escapes in a name"],
    "scores import --name z {path} {here}": scores.CASES["a name of 10^6 letters"],
    "data relabel --from {path} {here}": tables.CASES["an open quote"],
    "competition show --competition {path}": texts.COMPETITIONS["deep"],
    "data check --workspace {root} --competition {path}": texts.COMPETITIONS["a folder that leads out"],
    "train --models mine --recipes {path} {here}": texts.RECIPES["deep"],
    "predict --model {path} --images {root} --output {root}/x.csv {here}": chips.CASES["text"],
}


@pytest.mark.parametrize("command", VERBS)
def test_every_verb_refuses_a_strangers_file_and_changes_nothing(command: str, workspace, tmp_path: Path) -> None:
    (folder := tmp_path / "strange").mkdir()
    path, before = VERBS[command](folder), held(workspace.root)
    here = f"--workspace {workspace.root}"
    outcome = refused_by(command.format(path=path, here=here, root=workspace.root))
    assert outcome.faults() == []
    assert outcome.line.startswith(("Error: ", "Usage: "))
    assert held(workspace.root) == before


@pytest.mark.parametrize("verb", ["data prepare {here} --from", "competition init --output {root}/a.toml --from"])
def test_a_folder_of_pipes_and_devices_is_no_data(verb: str, tmp_path: Path) -> None:
    (folder := tmp_path / "strange").mkdir()
    for make, name in [("fifo", "train_v2.csv"), ("device", "train-jpg.zip"), ("loop", "a.csv"), ("socket", "b.tar")]:
        chips.CASES[make](folder).rename(folder / name)
    command = verb.format(here=f"--workspace {tmp_path / 'w'}", root=tmp_path)
    outcome = refused_by(command, folder)
    assert outcome.faults() == []
    assert not (tmp_path / "a.toml").exists()
    assert not (tmp_path / "w").exists()


def show_table() -> None:
    """Show what becomes of every case, and the most that it took."""
    print(f"{'reader':10} {'way':12} {'cases':>6} {'faults':>7} {'slowest':>9} {'most memory':>12}")
    for reader, cases in CASES.items():
        seen: dict[str, list[tuple[str, Outcome]]] = {}
        for name in cases:
            with tempfile.TemporaryDirectory() as folder:
                for _, how, outcome in outcomes(reader, [name], Path(folder)):
                    seen.setdefault(how, []).append((name, outcome))
        for how, every in seen.items():
            wrong = [f"{name}: {fault}" for name, outcome in every for fault in outcome.faults()]
            seconds, peak = (max(getattr(outcome, what) for _, outcome in every) for what in ("seconds", "peak"))
            print(
                f"{reader:10} {how:12} {len(every):6} {len(wrong):7} {seconds:8.1f}s {peak / 1e6:9.0f} MB", flush=True
            )
            print("".join(f"    {line[:500]}\n" for line in wrong), end="")


if __name__ == "__main__":
    sys.exit(show_table())
