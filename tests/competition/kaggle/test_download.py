"""Downloads are complete or go on later: the real client against a Kaggle on the loopback."""

from __future__ import annotations

import errno
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import requests
from click.testing import CliRunner

from competition.common.errors import UserError
from competition.kaggle import transfer
from competition.kaggle.answers import RemoteFile
from competition.kaggle.download import make_plan
from competition.spec.load import load
from competition.workspace import Workspace
from run import main
from tests.kaggle_server import MEGABYTE, SIGNATURE, SLUG, TOKEN, KaggleServer, zipped

ROOT = Path(__file__).parents[3]
SHARED = Path(os.environ.get("PLANET_SHARED_DATA", ROOT.parent / "shared" / "data"))
AGAIN = "Run the same command again"


def run(workspace: Path, *arguments: str, code: int = 0) -> str:
    done = CliRunner().invoke(
        main, ["data", "download", *arguments, "--workspace", str(workspace)], catch_exceptions=False
    )
    assert done.exit_code == code, done.output
    assert TOKEN not in done.output
    assert SIGNATURE not in done.output
    return done.output


@pytest.fixture(scope="session")
def files(simulated: Path, tmp_path_factory) -> dict[str, bytes]:
    """What Kaggle lists: archives of folders, tables, and what nobody needs."""
    packed = tmp_path_factory.mktemp("packed")
    made = {}
    for folder in ("train-jpg", "test-jpg", "train-tif-v2"):
        shutil.make_archive(str(packed / folder), "tar", simulated, folder)
        made[f"{folder}.tar"] = (packed / f"{folder}.tar").read_bytes()
    for table in ("train_v2.csv", "sample_submission_v2.csv"):
        made[f"{table}.zip"] = zipped(table, (simulated / table).read_bytes())
    return {**made, "train-jpg.torrent": b"x" * 50, "readme.txt": b"read me"}


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return tmp_path / "workspace"


def test_what_is_needed_is_downloaded_and_prepared(kaggle: KaggleServer, files: dict, workspace: Path) -> None:
    kaggle.files = files
    shown = run(workspace)
    assert re.search(r"train-jpg\.tar +\d+\.?\d* [kM]B +to download", shown)
    assert re.search(r"train-tif-v2\.tar +\d.* [kM]B +not needed", shown)
    assert re.search(r"To download: [\d.]+ [kM]B; unpacked, what is wanted takes about .* more; free: .* GB\.", shown)
    assert "Kaggle lists no test-jpg-additional, test_v2_file_mapping.csv. Get it from" in shown
    assert "60 chips  unpacked from train-jpg.tar" in shown
    assert "Next: python run.py data check" in shown
    downloads = workspace / "downloads"
    wanted = {"train-jpg.tar", "test-jpg.tar", "train_v2.csv.zip", "sample_submission_v2.csv.zip"}
    assert {path.name for path in downloads.iterdir() if not path.name.startswith(".")} == wanted
    assert all((downloads / name).read_bytes() == files[name] for name in wanted)
    assert [path.name for path in (downloads / ".partial").iterdir()] == [".lock"]
    kaggle.calls.clear()
    shown = run(workspace)
    assert re.search(r"train-jpg\.tar .* is here", shown)
    assert "Everything that is wanted is here." in shown
    assert "DownloadDataFile" not in kaggle.calls


def test_chosen_files_only(kaggle: KaggleServer, files: dict, workspace: Path) -> None:
    kaggle.files = files
    run(workspace)
    shown = run(workspace, "--files", "*tif*,readme.txt")
    assert "unpacked from train-tif-v2.tar" in shown
    assert (workspace / "downloads" / "readme.txt").read_bytes() == b"read me"
    shown = run(workspace, "--files", "train_v3.csv", code=2)
    assert (
        "--files: no file of the competition is called 'train_v3.csv'. There are train-jpg.tar, test-jpg.tar," in shown
    )


def test_what_cannot_be_prepared_alone_is_kept(kaggle: KaggleServer, files: dict, workspace: Path) -> None:
    kaggle.files = files
    shown = run(workspace, "--files", "*.csv.zip")
    assert re.search(r"Not prepared yet: .*downloads lacks train-jpg\.", shown)
    assert f"Next: python run.py data download --workspace {workspace}" in shown
    assert "unpacked from train-jpg.tar" in run(workspace)


def test_chips_that_kaggle_does_not_list_are_announced(
    kaggle: KaggleServer, files: dict, workspace: Path, simulated: Path
) -> None:
    """As it was with this competition in 2020: tables in folders of their names, torrents, and no JPEGs."""
    tables = ("train_v2.csv", "sample_submission_v2.csv")
    kaggle.files = {f"{table}/{table}": (simulated / table).read_bytes() for table in tables}
    kaggle.files["Kaggle-planet-train-tif.torrent"] = b"x" * 50
    absent = "Kaggle lists no train-jpg, test-jpg, test-jpg-additional, test_v2_file_mapping.csv. Get it from"
    assert absent in run(workspace, "--dry-run")
    shown = run(workspace, code=2)
    assert absent in shown
    assert "downloads lacks train-jpg." in shown
    assert (workspace / "downloads" / tables[0] / tables[0]).read_bytes() == (simulated / tables[0]).read_bytes()
    for name in ("train-jpg.tar", "test-jpg.tar"):
        (workspace / "downloads" / name).write_bytes(files[name])
    assert "unpacked from train-jpg.tar" in (shown := run(workspace))
    assert "Kaggle lists no test-jpg-additional, test_v2_file_mapping.csv." in shown


def test_a_dry_run_lists_and_downloads_nothing(kaggle: KaggleServer, files: dict, workspace: Path) -> None:
    kaggle.files = files
    assert "Dry run: nothing was downloaded." in run(workspace, "--dry-run")
    assert set(kaggle.calls) == {"IntrospectToken", "ListDataFiles"}
    assert not workspace.exists()


def test_a_table_that_is_sent_packed_is_taken(
    kaggle: KaggleServer, files: dict, workspace: Path, simulated: Path
) -> None:
    """Kaggle lists `x.csv` and sends `x.csv.zip`."""
    tables = {table: (simulated / table).read_bytes() for table in ("train_v2.csv", "sample_submission_v2.csv")}
    kaggle.files = {**{name: files[name] for name in ("train-jpg.tar", "test-jpg.tar")}, **tables}
    kaggle.packed = {"train_v2.csv"}
    assert "unpacked from train_v2.csv.zip" in run(workspace)
    assert re.search(r"train_v2\.csv .* is here", run(workspace))


def test_a_disk_that_is_too_small_is_said_before_the_start(
    kaggle: KaggleServer, files: dict, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kaggle.files = files
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=3000))
    shown = run(workspace, code=2)
    assert re.search(
        r"Error: The download, [\d.]+ [kM]B to come and about [\d.]+ [kM]B unpacked, needs [\d.]+ [kM]B, "
        r"but .*downloads has 3 kB free\. Nothing was downloaded\. Make room, choose fewer with --files",
        shown,
    )
    assert "DownloadDataFile" not in kaggle.calls


def test_a_disk_that_fills_up_is_one_line(
    kaggle: KaggleServer, files: dict, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = requests.Response.iter_content

    def fill(self: requests.Response, size: int) -> Iterator[bytes]:
        if size != transfer.CHUNK:
            yield from read(self, size)
        else:
            yield self.raw.read(size)
            self.close()
            raise OSError(errno.ENOSPC, "No space left on device")

    kaggle.files = files
    with monkeypatch.context() as patch:
        patch.setattr(requests.Response, "iter_content", fill)
        assert "Error: Cannot write train-jpg.tar to " in (shown := run(workspace, code=2))
    assert ".partial/" in shown
    assert f": No space left on device. What came is kept. {AGAIN} when there is room." in shown
    run(workspace)


CASES: dict[str, tuple[list[tuple[str, dict]], int, str]] = {
    "rules": (
        [("DownloadDataFile", {"status": 403, "message": "Accept the rules"})],
        1,
        "Error: Kaggle refuses to send train-jpg.tar (403): are the competition's rules accepted? Kaggle says: Accept "
        f"the rules. Open https://www.kaggle.com/competitions/{SLUG}/rules, accept them, and run the same "
        "command again. If there is no such page, correct `slug` in the competition file.",
    ),
    "not a participant, or no such competition": (
        [("ListDataFiles", {"status": 403, "message": "Permission 'competitions.participate' was denied"})],
        1,
        "Error: Kaggle refuses to list the files (403): are the competition's rules accepted? Kaggle says: Permission "
        "'competitions.participate' was denied. Open",
    ),
    "unknown": (
        [("ListDataFiles", {"status": 404})],
        1,
        "Error: Kaggle answers that there is no such thing (404), asked to list the files. Is there a competition "
        f"https://www.kaggle.com/competitions/{SLUG}? If not, correct `slug` in the competition file.",
    ),
    "busy": (
        [("DownloadDataFile", {"status": 429, "headers": {"Retry-After": "0.01"}, "times": 3})],
        0,
        "Kaggle answers 429; next attempt in 0 s (4 of 5).",
    ),
    "too busy": (
        [("DownloadDataFile", {"status": 429, "times": 0})],
        1,
        f"Error: Kaggle asks for fewer calls (429), unable to send train-jpg.tar. {AGAIN} in some minutes.",
    ),
    "the link has expired": ([("GET", {"status": 403})], 1, "Error: Kaggle refuses to send train-jpg.tar (403)"),
    "storage is busy": ([("GET", {"status": 503})], 0, "Kaggle answers 503; next attempt in 0 s (2 of 5)."),
    "broken off, goes on": ([("GET", {"kind": "half", "times": 3})], 0, "unpacked from train-jpg.tar"),
    "broken off, and the rest is refused for a while": (
        [("GET", {"kind": "half"}), ("Range", {"status": 503, "times": 2})],
        0,
        "Kaggle answers 503 where the file is kept; next attempt in 0 s (4 of 5).",
    ),
    "broken off, and the rest is refused": (
        [("GET", {"kind": "half"}), ("Range", {"status": 403, "times": 0})],
        1,
        f"Error: Kaggle's storage answers 403, asked to send train-jpg.tar. {AGAIN} later.",
    ),
    "broken off, then all of it comes": (
        [("GET", {"kind": "half"}), ("Range", {"kind": "whole"})],
        0,
        "unpacked from train-jpg.tar",
    ),
    "broken off, and parts are not given": (
        [("GET", {"kind": "half"}), ("Range", {"status": 416, "times": 0})],
        0,
        "unpacked from train-jpg.tar",
    ),
    "broken off": (
        [("GET", {"kind": "half", "times": 0})],
        1,
        "Error: No connection to Kaggle, asked to send train-jpg.tar: the connection broke. Check the network. "
        f"{AGAIN}.",
    ),
    "wrong size": (
        [("GET", {"kind": "size"})],
        1,
        "Error: train-jpg.tar has the wrong size: expected {size} bytes, received {less}. What came was removed.",
    ),
    "malformed": (
        [("ListDataFiles", {"kind": "malformed", "times": 0})],
        1,
        "Error: Kaggle's answer cannot be read: asked to list the files, expected JSON, received '<html>{oops'.",
    ),
    "redirected": (
        [("ListDataFiles", {"kind": "redirect", "times": 0})],
        1,
        "expected JSON, received '<html>Please sign in</html>'.",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_goes_wrong_is_said_and_goes_on_later(
    case: str, kaggle: KaggleServer, files: dict, workspace: Path
) -> None:
    kaggle.files = {name: files[name] for name in ("train-jpg.tar", "train_v2.csv.zip")}
    faults, failed, line = CASES[case]
    for what, options in faults:
        kaggle.fail(what, **options)
    shown, size = run(workspace, code=2 * failed), len(files["train-jpg.tar"])
    assert line.replace("{size}", f"{size:,}").replace("{less}", f"{size - 1:,}") in shown
    if failed:
        assert shown.splitlines()[-1].startswith("Error: ")
        assert not [path for path in (workspace / "downloads").glob("*") if path.name != ".partial"]
    if case in ("broken off", "broken off, goes on"):
        assert kaggle.ranges
    if case == "broken off, and the rest is refused":
        assert "goes on after" in run(workspace, "--dry-run")
    kaggle.faults.clear()
    run(workspace)
    assert (workspace / "downloads" / "train-jpg.tar").read_bytes() == files["train-jpg.tar"]


@pytest.mark.parametrize("spoil", ["longer", "another file", "no note", "an odd note"])
def test_what_cannot_be_gone_on_with_is_fetched_anew(
    spoil: str, kaggle: KaggleServer, files: dict, workspace: Path
) -> None:
    kaggle.files = {name: files[name] for name in ("train-jpg.tar", "train_v2.csv.zip")}
    kaggle.fail("GET", "half")
    kaggle.fail("Range", status=503, times=0)
    run(workspace, code=2)
    kaggle.faults.clear()
    (path,) = (workspace / "downloads" / ".partial").glob("*/train-jpg.tar")
    note = path.with_name(path.name + transfer.MARKER)
    if spoil == "longer":
        path.write_bytes(path.read_bytes() + files["train-jpg.tar"])
    elif spoil == "another file":
        kaggle.files["train-jpg.tar"] += b"\0" * 1024
    else:
        note.write_text("[]" if spoil == "an odd note" else "")
    run(workspace)
    assert kaggle.ranges == []
    assert (workspace / "downloads" / "train-jpg.tar").read_bytes() == kaggle.files["train-jpg.tar"]


def test_bytes_of_an_older_version_are_gone_before_the_note_names_the_newer(
    kaggle: KaggleServer, files: dict, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kaggle.files = {name: files[name] for name in ("train-jpg.tar", "train_v2.csv.zip")}
    kaggle.fail("GET", "half")
    kaggle.fail("Range", status=503, times=0)
    run(workspace, code=2)
    kaggle.faults.clear()
    kaggle.files["train-jpg.tar"] = files["train-jpg.tar"][:512] + b"x" * len(files["train-jpg.tar"])
    opened = Path.open
    with monkeypatch.context() as patch:

        def fail(self: Path, mode: str = "r", *arguments: object, **options: object) -> object:
            if self.name == "train-jpg.tar" and "b" in mode:
                raise OSError(errno.EMFILE, "Too many open files")
            return opened(self, mode, *arguments, **options)  # type: ignore[call-overload]

        patch.setattr(Path, "open", fail)
        run(workspace, "--files", "train-jpg.tar", code=2)
    run(workspace, "--files", "train-jpg.tar")
    assert (workspace / "downloads" / "train-jpg.tar").read_bytes() == kaggle.files["train-jpg.tar"]


@pytest.mark.parametrize("size", [-5, "x", 2**70])
def test_a_size_that_cannot_be_is_one_line(size: object, kaggle: KaggleServer, files: dict, workspace: Path) -> None:
    kaggle.files, kaggle.listed = files, {"train-jpg.tar": size}
    assert "Error: Kaggle's answer cannot be read: asked to list the files" in run(workspace, code=2)


@pytest.mark.parametrize(
    "name", ["../x.csv", "/etc/passwd", "a/../../b", ".ssh/config", "c:evil", "a\\b", "", "a\x1b[2Jb"]
)
def test_a_name_that_leads_outside_is_refused(name: str, tmp_path: Path) -> None:
    listed = [RemoteFile("train_v2.csv.zip", 3), RemoteFile(name, 3)]
    with pytest.raises(UserError, match="a file whose name is refused"):
        make_plan(Workspace(tmp_path, load("planet")), listed, tmp_path)


def test_a_competition_whose_files_are_not_listed_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="lists none of the files that competition 'planet' names, but a"):
        make_plan(Workspace(tmp_path, load("planet")), [RemoteFile("a.txt", 3)], tmp_path)


def interrupt_and_finish(kaggle: KaggleServer, name: str, workspace: Path, home: Path) -> None:
    """Kill a download of `name` three times, each time two megabytes further on, and let it finish."""
    environment = kaggle.environment(home)
    wanted = f"{name},*csv.zip"
    command = [sys.executable, "run.py", "data", "download", "--files", wanted, "--workspace", str(workspace)]
    there = [0]
    for _ in range(3):
        kaggle.reached.clear()
        kaggle.go_on.clear()
        # What goes on is asked for twice, at first from 0, and that answer is not read.
        kaggle.stop_at = f"GET {name} from {there[-1]} after 3 MB"
        stopped = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert kaggle.reached.wait(60)
        until = time.monotonic() + 30
        while _begun(name, workspace) < there[-1] + 2 * MEGABYTE:
            assert time.monotonic() < until
        os.kill(stopped.pid, signal.SIGKILL)
        stopped.communicate()
        kaggle.go_on.set()
        assert not (workspace / "downloads" / name).exists()
        there.append(_begun(name, workspace))
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [int(asked[6:-1]) for asked in kaggle.ranges] == there[1:]
    assert "goes on after" in done.stdout
    assert (workspace / "downloads" / name).read_bytes() == kaggle.files[name]


def _begun(name: str, workspace: Path) -> int:
    return sum(path.stat().st_size for path in (workspace / "downloads" / ".partial").glob(f"*/{name}"))


def test_killed_three_times_a_file_is_the_same_bytes(
    kaggle: KaggleServer, files: dict, workspace: Path, tmp_path: Path
) -> None:
    kaggle.files = {**files, "large.bin": random.Random(0).randbytes(10 * MEGABYTE + 12345)}
    run(workspace)
    interrupt_and_finish(kaggle, "large.bin", workspace, tmp_path / "home")


@pytest.mark.slow
@pytest.mark.skipif(not (SHARED / "planet32").is_dir(), reason=f"no real data in {SHARED}; set PLANET_SHARED_DATA")
def test_real_archives_killed_three_times_are_the_same_bytes(
    kaggle: KaggleServer, workspace: Path, tmp_path: Path
) -> None:
    kaggle.files = {path.name: path.read_bytes() for path in sorted((SHARED / "planet32").iterdir())}
    interrupt_and_finish(kaggle, "train-jpg.tar.7z", workspace, tmp_path / "home")
    shown = run(workspace)
    assert "40,669 chips" in shown
    assert all((workspace / "downloads" / name).read_bytes() == kaggle.files[name] for name in kaggle.files)
