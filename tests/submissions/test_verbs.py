"""The verbs of scores, as they are typed."""

from __future__ import annotations

import json
import os
import shlex
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from competition.spec.load import SHIPPED
from competition.workspace import Workspace
from run import main
from tests.competition.samples import planet
from tests.submissions.samples import make_workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return make_workspace(tmp_path)


@pytest.fixture
def small(tmp_path: Path) -> Workspace:
    """A workspace of few chips, for what takes long."""
    return make_workspace(tmp_path, num_chips=60)


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace for verbs that write nothing."""
    return make_workspace(tmp_path_factory.mktemp("untouched"))


def run(workspace: Workspace, words: str, code: int = 0) -> str:
    result = CliRunner().invoke(main, [*shlex.split(words), "--workspace", str(workspace.root)])
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return result.output


def test_a_comparison_ends_with_the_command_that_submits_its_choice(untouched: Workspace) -> None:
    shown = run(
        untouched,
        "compare --methods mean,ridge --rule expected --calibration beta --extras entropy --public 0.34 --top 3",
    )
    assert "Shake-up: 1,000 random splits, 34% of the chips public" in shown
    assert "Next: python run.py blend --auto --members a,b --name best --extras entropy --calibration beta" in shown
    assert shown.count(" alone, ") >= 1


def test_the_automatic_choice_becomes_a_valid_submission(small: Workspace) -> None:
    shown = run(small, "blend --auto --members a,b --name best --trials 3")
    assert "Chosen: " in shown
    assert "--exclusive asks for it" in shown
    provenance = json.loads((small.submissions / "best.json").read_text())
    assert provenance["exclusive"] is False
    assert "valid" in run(small, "validate best")
    bound = run(small, "blend --auto --exclusive --members a --name bound --trials 3")
    assert "--any-of-group allows several" in bound
    assert json.loads((small.submissions / "bound.json").read_text())["exclusive"] is True


def test_flags_are_known_by_the_names_they_had_before(workspace: Workspace) -> None:
    for before, now in (
        ("blend --members a --name x --cuts fixed --any-weather", "--rule fixed --any-of-group"),
        ("blend --members a --name x --cuts fixed --one-weather", "--rule fixed --exclusive"),
    ):
        old = run(workspace, before), (workspace.submissions / "x.csv").read_bytes()
        assert old == (
            run(workspace, f"{before.split(' --cuts')[0]} {now}"),
            (workspace.submissions / "x.csv").read_bytes(),
        )
    path = workspace.submissions / "x.csv"
    path.write_text(path.read_text().replace("primary", "haze clear"))
    path.with_suffix(".json").unlink()
    assert "rows with more than one of clear, cloudy, haze, partly_cloudy" in run(workspace, "validate x", code=1)
    for asked in ("--any-of-group", "--any-weather"):
        assert "more than one of" not in run(workspace, f"validate x {asked}", code=1)
    advice = run(workspace, "compare --methods none --cuts fixed --one-weather").splitlines()[-1]
    assert advice.startswith("Next: python run.py blend --auto --members a,b --name best --exclusive")


@pytest.mark.parametrize(
    "how", ["--method ridge --rule structured", "--method greedy --rule shrunk", "--method optuna --rule expected"]
)
def test_any_method_with_any_rule_becomes_a_submission(small: Workspace, how: str) -> None:
    run(small, f"blend --members a,b --name x --trials 3 {how}")
    method, rule = how.split()[1::2]
    provenance = json.loads((small.submissions / "x.json").read_text())
    assert (provenance["method"], provenance["rule"]) == (method, rule)
    assert "x.csv" in run(small, "validate x")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("blend --auto --method mean --members a,b --name x", "--auto chooses the method and the rule"),
        ("blend --members a,b --name x --method vote --rule expected", "A vote is by its members' cuts"),
        ("blend --members a,b --name x --extras wether", "Unknown extra column 'wether'"),
        ("compare --methods meen", "Unknown method of blending 'meen'"),
        ("compare --rule best", "Unknown decision rule 'best'"),
        ("compare --public 0.0001", "--public 0.0001 of 300 labelled chips leaves a part of them empty"),
        ("compare --members a,c", "Unknown model or blend 'c'"),
        ("scores import none.csv --name x", "No file none.csv"),
        ("scores import none.txt --name x", "ends in .csv or .npz"),
        ("scores export c --output x.csv", "Unknown model or blend 'c'"),
        ("scores export a --output x.txt", "ends in .csv or .npz"),
    ],
)
def test_a_mistake_is_one_line(untouched: Workspace, words: str, line: str) -> None:
    shown = run(untouched, words, code=2)
    assert shown.startswith("Error: ")
    assert line in shown
    assert shown.count("\n") == 1


@pytest.mark.parametrize("verb", ["compare", "submissions choose", "submissions shares a", "adversarial a"])
def test_no_share_of_chips_is_nan(untouched: Workspace, verb: str) -> None:
    assert "'--public': 'nan' is not a finite number" in run(untouched, f"{verb} --public nan", code=2)


def test_scores_go_out_and_come_in(workspace: Workspace, tmp_path: Path) -> None:
    assert "scores of 340 chips" in run(workspace, f"scores export a --output {tmp_path / 'a.npz'}")
    shown = run(workspace, f"scores import {tmp_path / 'a.npz'} --name theirs")
    assert "scores of 300 labelled chips, 40 others" in shown
    assert "Next: python run.py thresholds --model theirs" in shown
    assert "theirs alone, " in run(workspace, "compare --methods none --rule fixed")
    assert "Next: python run.py blend --members theirs --name theirs-alone" in run(
        workspace, "thresholds --model theirs --trials 2"
    )


def test_a_submission_out_of_order_is_mended_by_a_flag(workspace: Workspace) -> None:
    path = workspace.submissions / "theirs.csv"
    path.parent.mkdir()
    path.write_bytes(workspace.layout.table("sample_submission_v2.csv").read_bytes())
    good = path.read_text().splitlines()
    path.write_text("\n".join([good[0], *reversed(good[1:])]))
    assert "Next: python run.py validate theirs --sort" in run(workspace, "validate theirs", code=1)
    shown = run(workspace, "validate theirs --sort")
    assert "Brought 39 of 40 rows into the sample submission's order.\n" in shown
    assert "theirs.csv is valid: 40 rows" in shown
    assert path.read_text().splitlines() == good


def test_without_a_slug_submissions_are_written_and_checked_and_submit_is_not_the_next_step(small: Workspace) -> None:
    lines = (SHIPPED / "planet.toml").read_text(encoding="utf-8").splitlines()
    path = small.root / "planet.toml"
    path.write_text("\n".join(line for line in lines if not line.startswith("slug")), encoding="utf-8")
    here = f"--competition {shlex.quote(str(path))}"
    assert "run.py submit" not in run(small, f"blend --members a --name x --rule fixed --trials 1 {here}")
    shown = run(small, f"validate x {here}")
    assert "x.csv is valid" in shown
    assert "Next" not in shown
    shown = run(small, f"submit x --dry-run {here}")
    assert "x.csv is valid" in shown
    assert "uploaded by hand" in shown
    assert "without a slug" in run(small, f"submissions list {here}")
    for verb in ("submit x --message y", "submissions sync", "data download"):
        shown = run(small, f"{verb} {here}", code=2)
        assert "has no slug, so nothing can be submitted or downloaded from here: write slug" in shown
        assert shown.count("\n") == 1


def test_a_submission_that_is_not_there_is_named_with_those_that_are(small: Workspace) -> None:
    run(small, "blend --members a --name first --rule fixed --trials 1")
    for verb in ("validate fist", "submit fist --dry-run", "validate first --against fist"):
        assert "fist.csv. Did you mean first? In " in run(small, verb, code=2)
    assert "with the message 'first'" in run(small, "submit first --dry-run")


def test_outputs_that_are_hard_links_to_what_is_kept_leave_it_as_it_was(small: Workspace, tmp_path: Path) -> None:
    kept = [*sorted(small.runs.rglob("*.npz")), small.fold_table, small.layout.tables["train_v2.csv"]]
    before = [path.read_bytes() for path in kept]
    for number, path in enumerate(kept):
        for suffix in (".npz", ".csv"):
            os.link(path, tmp_path / f"{number}{suffix}")
            run(small, f"scores export a --output {tmp_path / f'{number}{suffix}'}")
    assert [path.read_bytes() for path in kept] == before


def test_tables_alone_are_enough_for_scores_that_others_have_made(small: Workspace, tmp_path: Path) -> None:
    theirs, others = tmp_path / "theirs", []
    theirs.mkdir()
    for name, path in small.layout.tables.items():
        shutil.copy(path, theirs / name)
    for name in ("a", "b"):
        run(small, f"scores export {name} --output {tmp_path / f'{name}.csv'}")
        others.append(tmp_path / f"{name}.csv")
    mine = Workspace(tmp_path / "mine", planet())
    refused = run(mine, f"data prepare --from {theirs}", code=2)
    assert f'that others have made, run "python run.py data prepare --from {theirs} --tables-only' in refused
    run(mine, f"data prepare --from {theirs} --tables-only")
    assert "Next: python run.py scores import" in run(mine, "folds --k 3")
    for path in others:
        run(mine, f"scores import {path} --name {path.stem}")
    run(mine, "thresholds --model a --trials 3")
    assert "blend --auto --members a,b" in run(mine, "compare --methods mean --rule fixed,uniform")
    run(mine, "blend --members a,b --name ours --rule fixed")
    assert "valid" in run(mine, "validate ours")
