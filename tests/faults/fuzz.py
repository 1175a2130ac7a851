"""Fuzzing the readers of what strangers hand over: valid files, changed at random, must be taken or refused.

    python -m tests.faults.fuzz --minutes 10 [--reader chips] [--seed 0] [--found FOLDER]

Whatever else happens is a find: another error than UserError, a crash, more than `SLOW` seconds or `MUCH` memory. It is
made as small as it stays one, and its file is written; one that was mended lies in `corpus/found/`, for the tests.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import resource
import shutil
import signal
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from competition.common.errors import UserError
from tests.faults.bounded import BYTES, CEILING

FOUND = Path(__file__).parent / "corpus" / "found"
SLOW, MUCH = 10, BYTES
ROUND = 400  # files that one process reads
WORDS = [0, 1, 2, 7, 8, 16, 255, 256, 32767, 32768, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1, 2**63, 2**64 - 1]
TEXTS = [
    b"",
    b"\0",
    b"\xff",
    b'"',
    b"'",
    b"\n",
    b"\r",
    b",",
    b";",
    b"\t",
    b"../",
    b"/",
    b"-1",
    b"1e400",
    b"nan",
    b"[",
    b"{",
    b"]",
    b"}",
    b"=",
    b"#",
    b"999999999999999999999",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
    b"\x1b[",
]
Change = Callable[[bytearray, random.Random], None]


class SlowError(BaseException):
    """Reading took longer than any file may take."""


@dataclass(frozen=True)
class Find:
    """A file that made a reader do what none may.

    Attributes:
        reader: of `READERS`.
        how: one of its ways.
        name: of the seed, which says the suffix.
        content: of the file.
        what: happened.
    """

    reader: str
    how: str
    name: str
    content: bytes
    what: str

    @property
    def kind(self) -> str:
        """What tells it from other finds: where it happened."""
        return f"{self.how}: {' '.join(self.what.strip().splitlines()[-1:])[:80]} {_place(self.what)}"

    def write(self, folder: Path) -> Path:
        """Write its file."""
        digest = hashlib.sha256(self.content).hexdigest()[:8]
        path = folder / f"{self.reader}-{digest}-{Path(self.name).name}"
        folder.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.content)
        return path


def _place(trace: str) -> str:
    lines = [line.strip() for line in trace.splitlines() if line.strip().startswith("File ")]
    return lines[-1][-80:] if lines else ""


def changed(seed: bytes, others: list[bytes], chance: random.Random) -> bytes:
    """Return a file with one to eight changes."""
    content = bytearray(seed)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 5, 8))):
        size = len(content)
        at, length = chance.randrange(size + 1), chance.choice((1, 1, 2, 4, 8, 32, 200))
        match chance.randrange(9):
            case 0 if size:
                content[at % size] ^= 1 << chance.randrange(8)
            case 1 if size:
                content[at % size] = chance.randrange(256)
            case 2:
                del content[at : at + length]
            case 3:
                content[at:at] = content[at : at + length] * chance.choice((1, 2, 50))
            case 4:
                width = chance.choice((1, 2, 4, 8))
                word = (chance.choice(WORDS) + chance.choice((-1, 0, 0, 1))) % 2 ** (8 * width)
                content[at : at + width] = word.to_bytes(width, chance.choice(("little", "big")))
            case 5:
                text = chance.choice(TEXTS)
                content[at : at + chance.choice((0, len(text)))] = text
            case 6 if chance.random() < 0.3:
                del content[at:]
            case 7:
                other = chance.choice(others)
                start = chance.randrange(len(other) + 1)
                content[at : at + length] = other[start : start + length]
            case _:
                start = chance.randrange(size + 1)
                content[at : at + length] = content[start : start + length]
    return bytes(content)


def read(reader: str, how: str, name: str, content: bytes, folder: Path) -> str:
    """Let a reader read a file; return what it did that it may not, or ""."""
    from tests.faults.readers import READERS

    path = folder / Path(name).name
    path.write_bytes(content)
    base, began = _peak(), time.process_time()
    for number in (signal.SIGPROF, signal.SIGALRM):
        signal.signal(number, _too_slow)
    signal.setitimer(signal.ITIMER_PROF, SLOW)  # of work, as others may be at work on this machine too
    signal.alarm(6 * SLOW)
    try:
        with (
            warnings.catch_warnings(),
            open(os.devnull, "w") as nowhere,
            redirect_stdout(nowhere),
            redirect_stderr(nowhere),
        ):
            warnings.simplefilter("ignore")
            READERS[reader][how](path)
    except UserError as error:
        line = str(error)
        if not line.isprintable() or len(line) > 2000:
            return f"not one line: {line!r:.200}"
    except BaseException:
        return traceback.format_exc()[-3000:]
    finally:
        signal.alarm(0)
        signal.setitimer(signal.ITIMER_PROF, 0)
        path.unlink(missing_ok=True)
    if _peak() - base > MUCH:
        return f"memory: {(_peak() - base) / 1e6:,.0f} MB"
    return f"slow: {seconds:.0f} s" if (seconds := time.process_time() - began) > SLOW else ""


def _too_slow(*_: object) -> None:
    raise SlowError


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def apart(tries: Callable[[], Iterator[tuple[str, bytes, str]]], reader: str) -> tuple[int, list[Find]]:
    """Read files in a process of its own, which a crash may end; return how many, and the finds.

    Args:
        tries: yields the name of a seed, the file and the way to read it.
        reader: of `READERS`.
    """
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    log, last = folder / "log", folder / "last"
    child = os.fork()
    if not child:
        _work(tries, reader, folder, log, last)
    _, status = os.waitpid(child, 0)
    try:
        count, found = json.loads(log.read_text()) if log.exists() else (0, [])
        finds = [Find(reader, how, name, bytes.fromhex(content), what) for how, name, content, what in found]
        if status and last.exists():
            how, name, content = json.loads(last.read_text())
            finds.append(Find(reader, how, name, bytes.fromhex(content), f"the process ended with {status}"))
        return count, finds
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _work(
    tries: Callable[[], Iterator[tuple[str, bytes, str]]], reader: str, folder: Path, log: Path, last: Path
) -> None:
    code = 1
    try:
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + CEILING, used + CEILING))
        inside = folder / "files"
        inside.mkdir()
        count, finds, kinds = 0, list[Find](), set[str]()
        _warm(reader)
        for name, content, how in tries():
            last.write_text(json.dumps((how, name, content.hex())))
            what = read(reader, how, name, content, inside)
            count += 1
            if what and (find := Find(reader, how, name, content, what)).kind not in kinds:
                kinds.add(find.kind)
                finds.append(find)
            if what or not count % 50:
                _note(log, count, finds)
        _note(log, count, finds)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def _note(log: Path, count: int, finds: list[Find]) -> None:
    found = [(find.how, find.name, find.content.hex(), find.what) for find in finds]
    log.write_text(json.dumps((count, found)))


def _warm(reader: str) -> None:
    """Import what a reader needs, which is no part of how long a file takes."""
    if reader in ("exports", "weights", "networks"):
        import_module("models.backend.load").load_backend()
        for name in ("models.export.formats", "models.networks.applications", "onnxruntime", "openvino"):
            import_module(name)
        import_module("models.graphs.made")


def round_of(reader: str, made: dict[str, bytes], chance: random.Random, number: int) -> tuple[int, list[Find]]:
    """Read some changed files by every way of a reader."""
    from tests.faults.readers import READERS

    def tries() -> Iterator[tuple[str, bytes, str]]:
        for _ in range(number):
            name = chance.choice(list(made))
            content = changed(made[name], list(made.values()), chance)
            for how in READERS[reader]:
                yield name, content, how

    return apart(tries, reader)


def smaller(find: Find) -> Find:
    """Return the find with as little of its file as shows the same."""
    content, step = find.content, max(1, len(find.content) // 2)
    began = time.monotonic()
    while step and time.monotonic() - began < 60:
        at = 0
        while at < len(content) and time.monotonic() - began < 60:
            less = content[:at] + content[at + step :]
            _, finds = apart(lambda less=less: iter([(find.name, less, find.how)]), find.reader)
            if finds and finds[0].kind == find.kind:
                content = less
            else:
                at += step
        step //= 2
    return Find(find.reader, find.how, find.name, content, find.what)


def main() -> None:
    """Fuzz one reader, or all in turn, and say what was found."""
    from tests.faults.readers import READERS
    from tests.faults.seeds import seeds

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--minutes", type=float, default=10.0, help="for each reader")
    parser.add_argument("--reader", choices=list(READERS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--found", type=Path, default=Path(tempfile.gettempdir()) / "fuzz-found")
    given = parser.parse_args()
    for reader in [given.reader] if given.reader else READERS:
        began, count, kinds, chance = time.monotonic(), 0, set[str](), random.Random(given.seed)
        made = seeds(reader)
        while time.monotonic() - began < 60 * given.minutes:
            number, finds = round_of(reader, made, chance, ROUND)
            chance.seed(chance.random() + given.seed + count)  # the child has drawn from a copy
            count += number
            for find in finds:
                if find.kind not in kinds:
                    kinds.add(find.kind)
                    small = smaller(find)
                    print(f"{reader} {small.write(given.found)}\n  {find.kind}", flush=True)
        print(
            f"{reader}: {(time.monotonic() - began) / 60:.1f} minutes, {count:,} files read, {len(kinds)} finds",
            flush=True,
        )


if __name__ == "__main__":
    main()
