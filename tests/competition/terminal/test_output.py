"""What verbs show: text or JSON, more or less of it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import rich_click as click
from click.testing import CliRunner, Result

from competition.common.progress import reporter
from competition.terminal.command_line import Verbs
from competition.terminal.output import as_json, output_flags, show, show_next


class Figures:
    def text(self) -> str:
        return "figures"

    def as_dict(self) -> dict[str, Any]:
        return {"f2": np.float32(0.5), "cuts": np.array([0.25, np.nan]), "ä": None, "labels": ("a",)}


@click.group(cls=Verbs)
def main() -> None:
    pass


@main.command()
@output_flags
@as_json
def verb() -> None:
    reporter.say("working")
    reporter.note("waiting")
    reporter.detail("a detail")
    print("a library's line")
    show(Figures(), further=Figures(), none=None)
    show_next("submit")


def run(*flags: str) -> Result:
    return CliRunner().invoke(main, ["verb", *flags])


def test_text_comes_with_what_is_done_and_the_next_command() -> None:
    shown = run()
    assert shown.stdout == "working\na library's line\nfigures\nfigures\nNext: python run.py submit\n"
    assert shown.stderr == "waiting\n"


def test_json_is_all_that_standard_output_has() -> None:
    shown = run("--json")
    figures = {"f2": 0.5, "cuts": [0.25, None], "ä": None, "labels": ["a"]}
    assert json.loads(shown.stdout) == {**figures, "further": figures}
    assert shown.stderr == "working\nwaiting\na library's line\n"


def test_quiet_is_the_result_alone() -> None:
    assert run("-q").stdout == "a library's line\nfigures\nfigures\n"


def test_verbose_shows_details_and_what_it_took() -> None:
    *_, detail, took = run("-v").stderr.splitlines()
    assert detail == "a detail"
    assert took.startswith("It took 0.")
    assert "memory" in took


def test_what_a_flag_does_ends_with_the_verb() -> None:
    for flag in ("-q", "-v", "--json"):
        run(flag)
        assert run().stdout.startswith("working\na library's line\nfigures")


def test_less_and_more_do_not_go_together() -> None:
    shown = run("-q", "-v")
    assert (shown.exit_code, shown.output) == (2, "Error: -q shows less and -v more. Give one of them.\n")


def test_flags_of_all_verbs_stand_apart_in_help() -> None:
    shown = run("--help").output
    assert shown.index("Options") < shown.index("Where, and what is shown") < shown.index("--quiet")


def test_a_mistake_in_the_flags_leaves_nothing_turned() -> None:
    done = run("-q", "--json", "--unheard-of")  # whose context the exception keeps alive
    assert done.exit_code == 2
    assert not reporter._is_silent
