"""`predict --on ray` against `predict`: chips a second on one machine, and memory by the number of chips.

    python -m tests.benchmarks.bench_stream speed --workspace DIR --model mobilenet_v2_levels --images CHIPS
    python -m tests.benchmarks.bench_stream memory --chips 50000,250000,1000000

Both run `predict` as users run it, in a process of its own, on names that are hard links to some chips: listing,
reading, decoding, scoring and writing are those of as many files.

`speed` lets the two take turns, as the speed of a shared machine changes from minute to minute. What a process takes
until it has scored its first part, with Ray's and the network's start, is shown apart; the rate is that of all chips
after it, by the clock and by the CPU seconds of all processes together, which others at work change less.

`memory` scores made-up chips with a tiny network on two processes of one core each. Counted is memory of their own
(RssAnon, read five times a second, Linux) of the process that deals, of the largest that scores, and of Ray's together.

Measured on two cores that little else used (load 2 to 3, its own), MobileNetV2 at 64 px, one view, 12,288 names of 950
chips of 256 px, medians of three rounds:

                   chips a second    chips a CPU second    start, s    all, s
    one process             419.5                 230.7        10.7      39.4
    Ray                     405.9                 217.0        20.6      53.8

Ray's rate is 95.6 % of one process's by the clock (by pairs 97.6, 93.1 and 95.6 %), and 94.1 % by CPU seconds, Ray's
own processes included (89.1, 94.1 and 94.5 %). These take their share by the second: a busy machine makes it larger.

         chips    deals, MB    scores, MB    Ray, MB
        50,000          136           453        582
       250,000          138           470        599
     1,000,000          147           470        605
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import click
import numpy as np
from PIL import Image

import run
from competition.common import progress
from competition.terminal.tables import table
from models.stream.parts import chips_a_part

ROOT = Path(run.__file__).parent
TINY = ["--models", "baseline", "--name", "tiny", "--input-size", "16", "--epochs", "1", "--views", "identity"]


def link(sources: Sequence[Path], folder: Path, number: int) -> None:
    """Fill a folder with so many names of some files."""
    folder.mkdir()
    for each in range(number):
        source = sources[each % len(sources)]
        os.link(source, folder / f"chip_{each:08}{source.suffix}")


@contextmanager
def timed(times: list[tuple[float, float, int]]) -> Iterator[None]:
    """Note when how many chips were done, and by how many CPU seconds, as the progress bar is told."""
    update = progress.Bar.update

    def noted(bar: progress.Bar, number: int = 1) -> None:
        times.append((time.monotonic(), cpu_seconds(), number))
        update(bar, number)

    progress.Bar.update = noted
    try:
        yield
    finally:
        progress.Bar.update = update


@click.group()
def main() -> None:
    """Measure how fast `predict` is on Ray, or what memory it takes."""


@main.command(hidden=True, context_settings={"ignore_unknown_options": True})
@click.argument("part", type=int)
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def once(part: int, command: tuple[str, ...]) -> None:
    """Run a command, and print what it took up to so many chips, and the chips a second after these."""
    started, times = time.monotonic(), list[tuple[float, float, int]]()
    with timed(times):
        run.main(list(command), standalone_mode=False)
    when, cpu, numbers = np.array(times).T
    done = np.cumsum(numbers)
    first = int(np.searchsorted(done, part))
    rates = [(done[-1] - done[first]) / (each[-1] - each[first]) for each in (when, cpu)]
    ended = time.monotonic() - started
    print(json.dumps({"rate": rates[0], "by CPU": rates[1], "start": when[first] - started, "all": ended}))


def cpu_seconds() -> float:
    """Return the CPU seconds of this process and of all that it began."""
    known, below, ticks = processes(), {os.getpid()}, 0
    while more := {number for number, (parent, _) in known.items() if parent in below} - below:
        below |= more
    for number in below:
        with suppress(OSError):
            fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


@main.command()
@click.option("--workspace", "root", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--model", required=True)
@click.option("--images", type=click.Path(path_type=Path, exists=True), required=True, help="folder of chips")
@click.option("--size", default=64, show_default=True, help="pixels of the model's input")
@click.option("--parts", default=4, show_default=True, help="parts of chips to score")
@click.option("--rounds", default=3, show_default=True)
def speed(root: Path, model: str, images: Path, size: int, parts: int, rounds: int) -> None:
    """Let one process and Ray take turns, and print a table."""
    part, taken = chips_a_part(size), dict[str, list[dict[str, float]]]()
    with tempfile.TemporaryDirectory() as scratch:
        # The scratch folder may lie on another disk, which takes no links from here.
        (copies := Path(scratch) / "copies").mkdir()
        for path in sorted(images.iterdir()):
            (copies / path.name).write_bytes(path.read_bytes())
        link(sorted(copies.iterdir()), Path(scratch) / "chips", parts * part)
        command = [sys.executable, "-m", "tests.benchmarks.bench_stream", "once", str(part), "predict"]
        command += ["--workspace", str(root.absolute()), "--model", model, "--images", f"{scratch}/chips"]
        for number in range(rounds):
            for name, flags in {"one process": [], "Ray": ["--on", "ray"]}.items():
                output = ["--output", f"{scratch}/{name}-{number}.csv", *flags]
                done = subprocess.run([*command, *output], capture_output=True, text=True, check=True, cwd=ROOT)
                taken.setdefault(name, []).append(json.loads(done.stdout.splitlines()[-1]))
                print(name, taken[name][-1], f"load {os.getloadavg()[0]:.1f}", file=sys.stderr, flush=True)
            same = (
                Path(f"{scratch}/Ray-{number}.csv").read_bytes()
                == Path(f"{scratch}/one process-{number}.csv").read_bytes()
            )
            assert same, "the scores differ"
    keys = ("rate", "by CPU", "start", "all")
    rows = [
        [name, *(f"{statistics.median(e[key] for e in each):,.1f}" for key in keys)] for name, each in taken.items()
    ]
    print(table(["", "chips a second", "chips a CPU second", "start, s", "all, s"], rows))
    for key in keys[:2]:
        pairs = [ray[key] / one[key] for one, ray in zip(taken["one process"], taken["Ray"], strict=True)]
        shown = ", ".join(f"{pair:.1%}" for pair in pairs)
        print(f"{key}: Ray's is {statistics.median(pairs):.1%} of one process's; by pairs {shown}.")


def processes() -> dict[int, tuple[int, str]]:
    """Return of each process its parent and its name."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            before, _, after = path.read_text().rpartition(")")
        except OSError:
            continue
        found[int(path.parent.name)] = (int(after.split()[1]), before.partition("(")[2])
    return found


def own_memory(process: int) -> float:
    """Return the memory of a process' own, in MB."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon")) / 1024


def peaks_of(command: list[str]) -> dict[str, float]:
    """Return what a command takes: MB by the kind of process, and seconds."""
    started, log = time.monotonic(), tempfile.TemporaryFile("w+")  # noqa: SIM115
    driver = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=ROOT)
    peaks = {"deals": 0.0, "scores": 0.0, "Ray": 0.0}
    while driver.poll() is None:
        known, ray, worker = processes(), 0.0, 0.0
        below = {driver.pid}
        while more := {number for number, (parent, _) in known.items() if parent in below} - below:
            below |= more
        for number in below - {driver.pid}:
            memory = own_memory(number)
            if "Worker" in known[number][1]:
                worker = max(worker, memory)
            else:
                ray += memory
        for name, memory in (("deals", own_memory(driver.pid)), ("scores", worker), ("Ray", ray)):
            peaks[name] = max(peaks[name], memory)
        time.sleep(0.2)
    log.seek(0)
    if driver.returncode:
        raise RuntimeError(log.read())
    return {**peaks, "seconds": time.monotonic() - started}


def tiny_workspace(root: Path) -> Path:
    """Return a workspace with a trained network that scores chips in no time."""
    from tests.benchmarks.bench_cluster import workspace_in

    workspace = workspace_in(root).root
    train = [sys.executable, "run.py", "train", *TINY, "--no-test", "-q", "--workspace", str(workspace)]
    subprocess.run(train, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    return workspace


@main.command()
@click.option("--chips", "counts", default="50000,250000,1000000", show_default=True, help="numbers of chips")
def memory(counts: str) -> None:
    """Score more and more chips, and print a table."""
    rows: list[list[Any]] = []
    with tempfile.TemporaryDirectory() as scratch:
        workspace, random = tiny_workspace(Path(scratch)), np.random.default_rng(0)
        (sources := Path(scratch) / "sources").mkdir()
        for number in range(64):
            Image.fromarray(random.integers(1, 255, (16, 16, 3)).astype(np.uint8)).save(sources / f"{number}.png")
        for count in map(int, counts.split(",")):
            chips = Path(scratch) / f"chips-{count}"
            link(sorted(sources.iterdir()), chips, count)
            command = [sys.executable, "run.py", "predict", "--model", "tiny", "--workspace", str(workspace)]
            command += ["--images", str(chips), "--output", f"{scratch}/parts-{count}", "--on", "ray", "--cpus", "1"]
            peaks = peaks_of(command)
            rate = f"{count / peaks['seconds']:,.0f}"
            rows.append([f"{count:,}", *(f"{peaks[name]:,.0f}" for name in ("deals", "scores", "Ray")), rate])
            print(rows[-1], file=sys.stderr, flush=True)
    print(table(["chips", "deals, MB", "scores, MB", "Ray, MB", "chips a second"], rows))


if __name__ == "__main__":
    main()
