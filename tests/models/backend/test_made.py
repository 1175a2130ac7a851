"""What a run was is noted as it begins and as it ends."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from competition.common.errors import given_command
from competition.terminal.command_line import Verbs
from models.backend import made
from models.backend.made import DIVERGED, FINISHED, STOPPED, noted, read_made


def test_a_run_has_no_end_until_it_ends_and_a_stopped_one_is_no_finished_one(tmp_path: Path) -> None:
    def stop() -> None:
        with noted(tmp_path, "auto", [3]):
            raise KeyboardInterrupt

    assert read_made(tmp_path) is None
    with noted(tmp_path, "auto", [3]):
        (begun,) = read_made(tmp_path) or ()
        assert (begun.ended, begun.seconds, begun.seeds) == ("", None, [3])
    with pytest.raises(KeyboardInterrupt):
        stop()
    runs = read_made(tmp_path) or []
    assert [each.ended for each in runs] == [FINISHED, STOPPED]
    assert runs[0].how == runs[1].how == begun.how
    assert runs[0].threads["cores"] == str(len(os.sched_getaffinity(0)))
    assert runs[0].device


def test_a_run_that_diverged_is_no_finished_one_whether_it_was_stopped_or_not(tmp_path: Path) -> None:
    with noted(tmp_path, "auto", [3], lambda: True):
        pass
    with pytest.raises(ValueError, match="diverged"), noted(tmp_path, "auto", [3], lambda: True):
        raise ValueError("diverged")
    assert [each.ended for each in read_made(tmp_path) or []] == [DIVERGED, DIVERGED]


def test_a_folder_that_a_failed_start_has_removed_stays_away(tmp_path: Path) -> None:
    with noted(tmp_path / "fold0", "auto", [0]):
        (tmp_path / "fold0" / made.MADE).unlink()
        (tmp_path / "fold0").rmdir()
    assert not (tmp_path / "fold0").exists()


def test_a_command_is_kept_as_it_was_given_but_for_passwords(tmp_path: Path) -> None:
    import rich_click as click

    @click.group(cls=Verbs)
    def main() -> None:
        pass

    @main.group(cls=Verbs)
    def data() -> None:
        pass

    @data.command()
    @click.option("--from", "source")
    def prepare(source: str) -> None:
        click.echo(given_command())

    said = CliRunner().invoke(main, ["data", "prepare", "--from", "s3://me:secret@host/a b"]).output
    assert said == "python run.py data prepare --from 's3://host/a b'\n"
    assert given_command() == ""
