"""What every verb shares: mistakes as one line, flags, the next command."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import weakref
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from competition.common.errors import FLAGS, UserError
from competition.common.locks import BusyError
from competition.terminal.command_line import FILE, Verbs, Words, as_flags, shown
from competition.terminal.output import show_next


def run(work: Callable[[], None], *, debug: bool = False) -> Result:
    """Run a verb that does some work in a workspace of its own."""

    @click.group(cls=Verbs)
    def main() -> None:
        pass

    @main.command()
    @click.pass_context
    def verb(context: click.Context) -> None:
        context.meta[FLAGS] = ["--workspace", "w"]
        context.meta["debug"] = debug
        work()

    return CliRunner().invoke(main, ["verb"])


def failing(error: BaseException) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


def test_a_mistake_is_one_line_with_the_flags_of_the_workspace() -> None:
    result = run(failing(UserError("No folds.", command="folds")))
    assert (result.exit_code, result.output) == (2, 'Error: No folds. Run "python run.py folds --workspace w".\n')


def test_that_another_process_is_at_it_has_an_exit_code_of_its_own() -> None:
    result = run(failing(BusyError("Another process is at 'm' fold 0.")))
    assert (result.exit_code, result.output) == (os.EX_TEMPFAIL, "Error: Another process is at 'm' fold 0.\n")


def test_a_disk_that_refuses_is_one_line_with_the_file() -> None:
    result = run(failing(OSError(28, "No space left on device", "/a/b")))
    assert (result.exit_code, result.output) == (
        1,
        "Error: No space left on device: /a/b. Make room, and run the same command again.\n",
    )
    result = run(failing(IsADirectoryError(21, "Is a directory", "/a/b")))
    assert result.output == "Error: Is a directory: /a/b. Move it away, and run the same command again.\n"


@pytest.mark.parametrize("within", ["", "new", "new/folder"])
def test_a_file_in_the_place_of_a_folder_is_named_with_what_helps(tmp_path: Path, within: str) -> None:
    (tmp_path / "pseudo").touch()
    result = run(lambda: (tmp_path / "pseudo" / within).mkdir(parents=True, exist_ok=True))
    said = f"Expected a folder, but {tmp_path / 'pseudo'} is a file. Move it away, and run the same command again."
    assert (result.exit_code, result.output) == (1, f"Error: {said}\n")


def test_a_folder_in_the_place_of_a_file_is_said_with_what_helps(tmp_path: Path) -> None:
    assert FILE.convert(str(tmp_path / "new.csv"), None, None) == tmp_path / "new.csv"
    with pytest.raises(click.BadParameter, match=r"is a folder\. Give the path of a file, or move it away\."):
        FILE.convert(str(tmp_path), None, None)


@pytest.mark.parametrize("error", [UserError("No folds."), OSError(28, "No space left")])
def test_debug_shows_where_it_came_from(error: Exception) -> None:
    assert run(failing(error), debug=True).exception is error


def test_a_fault_of_ours_is_not_hidden() -> None:
    error = RuntimeError("a bug")
    assert run(failing(error)).exception is error


def test_an_interruption_says_what_is_kept() -> None:
    result = run(failing(KeyboardInterrupt()))
    assert result.exit_code == 130
    assert "What was finished is kept; run the same command to go on." in result.output
    assert "Come back." in run(failing(KeyboardInterrupt("Come back."))).output


def test_an_interruption_that_python_drops_ends_a_verb_all_the_same() -> None:
    def lose_it() -> None:
        class Kept:
            pass

        kept = Kept()
        watch = weakref.ref(kept, lambda _: signal.raise_signal(signal.SIGINT))
        del kept
        assert watch() is None
        time.sleep(10)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        result = run(lose_it)
    finally:
        signal.signal(signal.SIGINT, before)
    assert (result.exit_code, "run the same command to go on" in result.output) == (130, True)


def test_the_next_command_is_in_the_same_workspace() -> None:
    assert run(lambda: show_next("data check")).output == "Next: python run.py data check --workspace w\n"


def words(*arguments: str, **how: bool) -> str:
    @click.command(cls=click.Command)
    @click.option("--parts", type=Words(int, **how))
    def verb(parts: tuple[int, ...] | None) -> None:
        click.echo(repr(parts))

    result = CliRunner().invoke(verb, arguments)
    return str(result.exception) if isinstance(result.exception, UserError) else result.output.splitlines()[-1]


def test_words_are_joined_by_commas() -> None:
    assert words("--parts", "1, 2,3") == "(1, 2, 3)"
    assert words("--parts", "none") == "()"
    assert words() == "None"
    assert words("--parts", ",") == "--parts: expected words joined by commas, or \"none\"; received ','."
    assert words("--parts", "none", needed=True) == "--parts: expected words joined by commas; received 'none'."
    assert "'1,x' is not int values joined by commas" in words("--parts", "1,x")


def test_values_are_shown_as_their_flags_take_them() -> None:
    assert [shown(value) for value in ((1, 2), (), "a", 0.5)] == ["1,2", "none", "a", "0.5"]
    values = {"input_size": 32, "quick": True, "slow": False, "name": None, "layers": (), "title": "a b"}
    assert as_flags(values) == " --input-size 32 --quick --layers none --title 'a b'"


def test_a_verb_of_a_group_is_named_where_it_is_given_without_it() -> None:
    from run import main

    for words, meant in ((["init"], "'competition init'"), (["list"], "'competition list' or 'submissions list'")):
        result = CliRunner().invoke(main, words)
        assert result.exit_code == 2
        assert f"No such command '{words[0]}'. Did you mean {meant}?" in result.output
    assert "Did you mean" not in CliRunner().invoke(main, ["nothing"]).output


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has a disk that is always full")
@pytest.mark.parametrize("words", [["--help"], ["--version"], ["completion", "bash"]])
def test_a_full_disk_takes_no_help_and_one_line_says_so(words: list[str]) -> None:
    from run import __file__ as script

    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, script, *words], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (done.returncode, done.stderr) == (
        1,
        "Error: No space left on device. Make room, and run the same command again.\n",
    )
