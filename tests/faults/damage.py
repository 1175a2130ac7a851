"""Every file of a small workspace damaged in every way, and what the next verbs make of it.

`python -m tests.faults.damage [--share .1] [--each] [--only REGEX]` prints a table by kind of file. A case is
right if the verb gives what it gives on the undamaged workspace, or says in one line which file is damaged, and the
command in that line brings that about. Wrong are another result, a traceback, an advice that fails, and one that costs
complete work.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import random
import re
import shlex
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from folds.store.provenance import MARKER
from tests.faults import whole
from tests.faults.whole import QUICK, Shown
from tests.kaggle_server import KaggleServer

PROGRESS = 20  # cases between two lines of it
RIGHT = ("equal", "said", "mended", "restored")
WRONG = ("silent", "traceback", "vague", "advice failed", "destroyed")
COMMAND = re.compile(r'run "python run\.py ([^"]+)"', re.I)
ANOTHER = {"pixels": "heads", "heads": "pixels", "mean": "stack", "stack": "mean", "fold0": "fold1", "test": "heldout"}
ANOTHER |= {"fold0.npz": "fold1.npz", "fold1.npz": "fold0.npz"}


@dataclass(frozen=True)
class Probe:
    """A verb, and where what it makes lies.

    Attributes:
        words: of the verb; "KAGGLE" and "SITE" stand for the folders.
        made: what it makes, as globs in the site; empty: what it prints.
    """

    words: str
    made: tuple[str, ...] = ()

    def run(self, base: Path, *, as_nobody: bool = False) -> Shown:
        """Run it on the site."""
        return whole.verb(*_words(self.words, base), as_nobody=as_nobody)

    def result(self, base: Path, shown: Shown) -> str:
        """Return what it has made, as text that is equal where that is."""
        if not self.made:
            return re.sub(r"\d+:\d\d|[\d.,]+ (s|seconds|MB|kB)\b|\d{4}-\d\d-\d\d[T ][\d:.+Z]*", "#", shown.out)
        paths = sorted(path for glob in self.made for path in (base / "site").glob(glob))
        return "\n".join(f"{path.relative_to(base)} {_content(path)}" for path in paths)


def _words(command: str, base: Path) -> list[str]:
    text = command.replace("KAGGLE", str(base / "site" / "kaggle")).replace("SITE", str(base / "site"))
    words = shlex.split(text.replace("BASE", str(base)))
    return words if "--workspace" in words else [*words, "--workspace", str(base / "site" / "ws")]


def _content(path: Path) -> str:
    if path.suffix == ".npz":
        with np.load(path) as arrays:
            parts = [np.ascontiguousarray(arrays[name]).tobytes() for name in sorted(arrays.files)]
        return hashlib.sha256(b"".join(parts)).hexdigest()
    if path.suffix == ".html":
        return re.sub(r"Made \d{4}-\d\d-\d\d \d\d:\d\d", "", path.read_text())
    if path.suffix == ".json":
        return re.sub(r'"(digest|made|versions|study)": ("[^"]*"|\{[^}]*\})', "", path.read_text())
    return hashlib.sha256(path.read_bytes()).hexdigest()


QUICKLY = shlex.join(QUICK)
THREE = f"{QUICKLY} --epochs 3"
STATUS, LIST = Probe("status --json"), Probe("submissions list --json")
PREPARE = Probe("data prepare --from KAGGLE", ("ws/data/*.csv", "ws/data/train-jpg/*"))
CHECK = Probe("data check --json")
FRESH = Probe(f"fold --fold 0 --model baseline --name fresh {QUICKLY}", ("ws/runs/fresh/fold0/*.npz",))
DECODED = Probe(
    f"fold --fold 0 --model baseline --name fresh {QUICKLY} --input-size 24", ("ws/runs/fresh/fold0/*.npz",)
)
TINY = "--recipes BASE/recipes.toml --input-size 16 --views flips"
HEADS = Probe(f"fold --fold 0 --model tiny --name fresh {TINY}", ("ws/runs/fresh/fold0/*.npz",))
BLEND = Probe(
    "blend --members pixels,heads --name again --rule fixed", ("ws/blends/again/*.npz", "ws/submissions/again.csv")
)
NESTED = Probe(
    "blend --members mean,stack --name again --rule fixed", ("ws/blends/again/*.npz", "ws/submissions/again.csv")
)
CUTS = Probe("thresholds --model pixels --trials 4", ("ws/runs/pixels/cuts.json",))
STUDY = Probe(
    "blend --members pixels,heads --name mean --rule optuna --trials 4",
    ("ws/blends/mean/*.npz", "ws/submissions/mean.csv"),
)
TUNE = Probe(f"tune --model tiny {TINY} --name tuned --trials 2 --dropout .1,.2", ("ws/runs/tuned/fold*/*.npz",))
AUTO = Probe(
    "auto --recipes BASE/recipes.toml --models tiny --weights BASE --minutes 0.2", ("ws/submissions/best.csv",)
)
STUDENT = Probe(f"train --models tiny --name fresh {TINY} --pseudo labels", ("ws/runs/fresh/fold*/*.npz",))
GAINS = Probe("pseudo labels --json")
WEIGHTED = Probe("compare --members pixels,heads --methods none --rule fixed --weighted-to test")
REPORT = Probe("report", ("ws/report.html",))
VALIDATE = Probe("validate mean --json")
SUBMIT = Probe("submit mean --message mean --dry-run --again")


def _predict(model: str) -> Probe:
    return Probe(f"predict --model {model} --images KAGGLE/test-jpg --output SITE/out.csv --tags", ("out.csv",))


def _train(model: str, flags: str = "") -> Probe:
    return Probe(f"train --models {model}{flags}", (f"ws/runs/{model}/fold*/*.npz",))


def _fold(model: str) -> Probe:
    return Probe(f"fold --model {model} --fold 0", (f"ws/runs/{model}/fold0/*.npz",))


# By what lies where: the verbs that read it next.
PROBES: dict[str, tuple[Probe, ...]] = {
    r"folds\.(csv|json)": (FRESH, CUTS),
    r"data/.*\.csv": (FRESH, VALIDATE, PREPARE),
    r"data/(layout|unpacked)\.json": (CHECK, PREPARE, FRESH),
    r"data/train-jpg/.*": (PREPARE, DECODED),
    r"cache/(train|test)-.*": (FRESH,),
    r"cache/features/.*": (HEADS,),
    r"cache/networks/.*": (_predict("heads"),),
    r"runs/half-heads/.*": (_fold("half-heads"), STATUS),
    r"runs/half-pixels/.*": (_fold("half-pixels"), STATUS),
    r"runs/pixels/cuts\.json": (_predict("pixels"), CUTS),
    r"runs/pixels/fold0/(learnt|history)\.json": (REPORT, STATUS, _train("pixels")),
    r"runs/pixels/.*": (_predict("pixels"), BLEND, _train("pixels"), STATUS),
    r"runs/heads/.*": (_predict("heads"), BLEND, _train("heads"), STATUS),
    r"runs/tuned/.*": (TUNE, STATUS),
    r"blends/mean/blend\.json": (NESTED, REPORT),
    r"blends/.*": (NESTED,),
    r"pseudo/[^.].*": (STUDENT, GAINS),
    r"shift\.json": (WEIGHTED,),
    r"submissions/mean\..*": (VALIDATE, SUBMIT, LIST),
    r"optuna\.db": (CUTS, STUDY, TUNE),
    r"ledger\.db": (LIST, SUBMIT),
    r"auto/.*": (AUTO,),
    r"model\.keras": (_predict("SITE/ws/model.keras"),),
    r"model\.onnx": (_predict("SITE/ws/model.onnx"),),
    r"model\.zip": (_predict("SITE/ws/model.zip"),),
    r"scores\.npz": (Probe("scores import SITE/ws/scores.npz --name imported", ("ws/blends/imported/*.npz",)),),
}
# What stands for words that no line can know, by the beginning of the command that is advised.
MEANT = {
    "blend --members MEMBERS --name mean": STUDY.words,
    "blend --members MEMBERS --name stack": "blend --members pixels,heads --name stack --method ridge --rule fixed",
    "train --models RECIPE --name pixels FLAGS": f"train --models baseline --name pixels {QUICKLY}",
    "train --models RECIPE --name heads FLAGS": f"train --models tiny --name heads {TINY} --seeds 2",
    "train --models RECIPE --name half-pixels FLAGS": f"fold --fold 0 --model baseline --name half-pixels {THREE}",
    "train --models RECIPE --name half-heads FLAGS": f"fold --fold 0 --model tiny --name half-heads {TINY}",
    "train --models RECIPE --name tuned FLAGS": TUNE.words,
    "adversarial MODEL": "adversarial heads",
    "pseudo labels --from BLEND": "pseudo labels --from heads",
    "scores export NAME --output": "scores export stack --output",
    "export --model MODEL --output": "export --model pixels --output",
    "data prepare --from DIR": PREPARE.words,
    "data prepare --from DIR --reread": f"{PREPARE.words} --reread",
    "data download": PREPARE.words,
    "folds --k K --seed SEED": "folds --k 2 --seed 0",
}


KINDS = {
    r"(fold|seed|epoch)\d+": r"\1",
    r"events\.out.*": "events",
    r"(cache/networks|cache/features)/[^/]+": r"\1",
    r"cache/(train|test)-[^/]+": "cache/chips",
    r"features/\w+\.npy": "features/VIEW.npy",
    r"[^/]*\.jpg": "CHIP.jpg",
}


def damages(path: Path) -> dict[str, Callable[[], None]]:
    """Return the ways of damaging a file, by name."""
    content = path.read_bytes()
    draw = random.Random(path.name)

    def folder() -> None:
        path.unlink()
        path.mkdir()

    def flip(place: int) -> Callable[[], None]:
        turned = bytes([content[place] ^ 1 << draw.randrange(8)])
        return lambda: _write(path, content[:place] + turned + content[place + 1 :])

    found: dict[str, Callable[[], None]] = {"gone": path.unlink, "folder": folder}
    found["unreadable"] = lambda: path.chmod(0)
    if content:
        found["emptied"] = lambda: _write(path, b"")
        found["half"] = lambda: _write(path, content[: len(content) // 2])
        found["less by one"] = lambda: _write(path, content[:-1])
        found["zeroed"] = lambda: _write(path, bytes(len(content)))
        places = (0, len(content) // 3, len(content) * 2 // 3, len(content) - 1)
        found |= {f"flip {number}": flip(place) for number, place in enumerate(places)}
    if other := _other(path):
        found["another's"] = lambda: shutil.copy(other, path) and None
    return found


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def _other(path: Path) -> Path | None:
    """Return a file of the same name of another run, fold or blend."""
    for number, part in enumerate(path.parts):
        other = Path(*path.parts[:number], ANOTHER.get(part, part), *path.parts[number + 1 :])
        if other != path and other.is_file():
            return other
    beside = [p for p in path.parent.iterdir() if p.suffix == path.suffix and p != path and not p.name.startswith(".")]
    return sorted(beside)[0] if beside and path.suffix in (".npy", ".jpg", ".csv") else None


def kind_of(name: str) -> str:
    """Return the kind of a file of the workspace: what it is called in every run, fold and cache."""
    for pattern, kind in KINDS.items():
        name = re.sub(pattern, kind, name)
    return name


def files_of(site: Path) -> Iterator[str]:
    """Yield the files of the workspace that a verb reads."""
    for path in sorted((site / "ws").rglob("*")):
        name = str(path.relative_to(site / "ws"))
        if path.is_file() and any(re.fullmatch(pattern, name) for pattern in PROBES):
            yield name


@dataclass
class Case:
    """One file damaged in one way, and what a verb made of it."""

    name: str
    damage: str
    probe: Probe
    outcome: str = ""
    said: str = ""
    tried: list[str] = field(default_factory=list)

    def text(self) -> str:
        """Return the case as a line."""
        case = f"{self.name} [{self.damage}] {self.probe.words[:60]!r}"
        return f"{self.outcome:<14} {case}: {self.said[:700]}; {self.tried}"


class Harness:
    """Damages the files of a whole workspace one by one.

    Args:
        base: holds `pristine/`, a copy of `site/` as `whole.build` has made it.
    """

    def __init__(self, base: Path) -> None:
        self.base, self.site = base, base / "site"
        self.is_nobody = False
        self._expected: dict[Probe, tuple[int, str]] = {}

    def reset(self) -> None:
        """Make the site whole again."""
        shutil.rmtree(self.site, ignore_errors=True)
        shutil.copytree(self.base / "pristine", self.site, symlinks=True)

    def expected(self, probe: Probe) -> tuple[int, str]:
        """Return code and result of a verb on the undamaged workspace."""
        if probe not in self._expected:
            found = []
            for _ in range(2):
                self.reset()
                shown = probe.run(self.base)
                assert shown.code == 0, f"{probe.words}: {shown}"
                found.append((shown.code, probe.result(self.base, shown)))
            self._expected[probe] = found[0] if found[0] == found[1] else (found[0][0], "")
        return self._expected[probe]

    def is_equal(self, probe: Probe, shown: Shown) -> bool:
        """Whether a verb has given what it gives on the undamaged workspace."""
        code, result = self.expected(probe) if probe in self._expected else (0, "")
        # Whose files they are not, OpenVINO may not be read either: then Keras computes, and not bit by bit the same.
        return shown.code == code and (not result or self.is_nobody or probe.result(self.base, shown) == result)

    def run(self, case: Case) -> Case:
        """Damage the file, run the verb, and what it advises."""
        self.expected(case.probe)
        self.reset()
        path = self.site / "ws" / case.name
        self.is_nobody = case.damage == "unreadable"
        if self.is_nobody:
            _give_away(self.base)
        damages(path)[case.damage]()
        shown = case.probe.run(self.base, as_nobody=self.is_nobody)
        case.outcome, case.said = self._judge(case, shown, path)
        if case.outcome in ("mended", "restored") and (lost := self._destroyed(case.name)):
            case.outcome, case.said = "destroyed", f"{lost} || {case.said}"
        return case

    def _judge(self, case: Case, shown: Shown, path: Path) -> tuple[str, str]:
        if shown.code == -1 or "Traceback" in shown.err or "Aborted!" in shown.err:
            return "traceback", shown.err[-600:]
        if not shown.error:
            if self.is_equal(case.probe, shown):
                return "equal", shown.err[-200:]
            if case.probe in (STATUS, REPORT) and re.search("damaged|missing|begun", shown.out + shown.err):
                return "said", shown.err[-200:]
            if path.name == MARKER and re.search(r"with \d+ of \d+ folds of", shown.out + shown.err):
                return "said", shown.err[-200:]
            return ("silent" if shown.code == 0 else "vague"), (shown.out + shown.err)[-400:]
        named = shown.error.replace("fold ", "fold")  # "'m' lacks fold 0 of 5" says enough of a marker that is gone
        if path.name not in named and path.stem not in named and path.parent.name not in named:
            return "vague", shown.error
        if len(shown.error) > 2000:
            return "vague", f"{len(shown.error)} letters: {shown.error[:300]}"
        if case.damage == "unreadable":
            return "restored", shown.error
        return self._mend(case, shown, path)

    def _mend(self, case: Case, shown: Shown, path: Path) -> tuple[str, str]:
        """Do what the lines say, up to three of them, and run the verb again."""
        first, kind = shown.error, "mended"
        for _ in range(3):
            commands = COMMAND.findall(shown.error)
            if re.search(r"[Mm]ove (the file|it) away", shown.error) and path.exists():
                path.rename(path.with_name(f"{path.name}.away"))
                case.tried.append("moved away")
            elif commands:
                command = re.sub(r" --workspace \S+", "", commands[0])
                meant = next(
                    (MEANT[said] + command[len(said) :] for said in MEANT if command.startswith(said)), command
                )
                case.tried.append(meant)
                done = whole.verb(*_words(meant, self.base))
                if done.code == -1:
                    return "traceback", f"{meant}: {done.err[-500:]}"
                if done.error:
                    shown = done
                    if done.error != first:
                        continue
            elif re.search(r"[Rr]estore|Run the same command again|[Rr]emove ", shown.error):
                kind = "restored"
                _restore(path, self.base / "pristine" / "ws" / case.name)
                case.tried.append("restored")
            shown = case.probe.run(self.base)
            if shown.code == -1:
                return "traceback", shown.err[-500:]
            if not shown.error:
                return (kind if self.is_equal(case.probe, shown) else "advice failed"), first
        return "advice failed", f"{first} || then: {shown.error}"

    def _destroyed(self, name: str) -> str:
        """Return a file of complete work, of another fold than that of a file, that is not what it was."""
        own = str(Path(name).parent)
        for path in (self.base / "pristine" / "ws").glob("runs/*/fold*/*.npz"):
            there = self.site / "ws" / path.relative_to(self.base / "pristine" / "ws")
            if str(there.parent).endswith(own):
                continue
            if not there.is_file() or _content(there) != _content(path):
                return str(there)
        return ""


def _restore(path: Path, copy: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    shutil.copy2(copy, path)


def _give_away(base: Path) -> None:
    for path in [base, *base.rglob("*")]:
        os.chown(path, whole.NOBODY, whole.NOBODY)


def cases(base: Path, share: float, only: str, seed: int = 0, *, is_each: bool = False) -> list[Case]:
    """Return the cases, a share of them drawn, in an order that makes of those done so far a sample too.

    `is_each`: of files of the same kind only one, the first.
    """
    draw, found = random.Random(seed), list[Case]()
    names = list(files_of(base / "pristine"))
    if is_each:
        names = list({kind_of(name): name for name in reversed(names)}.values())
    for name in names:
        pattern = next(pattern for pattern in PROBES if re.fullmatch(pattern, name))
        for damage in damages(base / "pristine" / "ws" / name):
            for probe in PROBES[pattern]:
                if draw.random() < share and re.search(only, f"{name} {damage} {probe.words}"):
                    found.append(Case(name, damage, probe))
    draw.shuffle(found)
    return found


@contextlib.contextmanager
def made_in(base: Path) -> Iterator[Harness]:
    """Yield a harness on a whole workspace, which is made unless it is there, and with it a Kaggle of our own."""
    base.mkdir(parents=True, exist_ok=True)
    base.chmod(0o755)
    whole.load_all()
    listed = base / "listed.json"  # what that Kaggle was sent
    with KaggleServer().running() as server:
        whole.signed_in(server, base)
        if not (base / "pristine").exists():
            whole.build(base)
            listed.write_text(json.dumps(server.submissions))
            (base / "site").rename(base / "pristine")
        server.submissions[:] = json.loads(listed.read_text())
        yield Harness(base)


def table_of(found: list[Case]) -> str:
    """Return the table by kind of file."""
    from competition.terminal.tables import table

    kinds: dict[str, Counter[str]] = {}
    for case in sorted(found, key=lambda case: case.name):
        kinds.setdefault(kind_of(case.name), Counter())[case.outcome] += 1
    columns = [*RIGHT, *WRONG]
    rows = [
        [kind, str(sum(counts.values())), *(str(counts[c] or "") for c in columns)] for kind, counts in kinds.items()
    ]
    total = sum(kinds.values(), Counter())
    rows.append(["all", str(len(found)), *(str(total[c]) for c in columns)])
    return table(["file", "cases", *columns], rows, "l" + "r" * (len(columns) + 1))


def main() -> None:
    """Run the harness."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--share", type=float, default=1.0)
    parser.add_argument("--only", default="")
    parser.add_argument("--base", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--each", action="store_true", help="of each kind of file only the first")
    asked = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    base, found = asked.base or Path(tempfile.mkdtemp(prefix="damage-")), list[Case]()
    started = time.monotonic()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which shells ignore in what they run in the background
    # Interrupted, it prints the table of what was done so far.
    with contextlib.suppress(KeyboardInterrupt), made_in(base) as harness:
        drawn = cases(harness.base, asked.share, asked.only, asked.seed, is_each=asked.each)
        for case in drawn:
            found.append(harness.run(case))
            if len(found) % PROGRESS == 0:
                print(f"{len(found)} of {len(drawn)} cases in {time.monotonic() - started:,.0f} s", file=sys.stderr)
            if case.outcome not in RIGHT:
                print(case.text(), flush=True)
    print(table_of(found))
    print(f"{len(found)} cases in {time.monotonic() - started:,.0f} s")
    sys.exit(any(case.outcome in WRONG for case in found))


if __name__ == "__main__":
    main()
