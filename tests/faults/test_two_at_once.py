"""Two processes in one workspace: nothing is torn or lost, and it ends as though one had come after the other."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

import pytest

from competition.common.locks import BusyError
from tests.faults.artefacts import digests_of
from tests.faults.chain import HERE, Step
from tests.faults.conftest import Chain
from tests.faults.processes import Ended, Kill, Verb, run

TINY = f"--model tiny --recipes {{recipes}} {HERE}"
PAIRS = {
    "the same fold": (f"fold --fold 0 {TINY}", f"fold --fold 0 {TINY}"),
    "two folds": (f"fold --fold 0 {TINY}", f"fold --fold 1 {TINY}"),
    "features and fold": (f"features --models tiny --recipes {{recipes}} {HERE}", f"fold --fold 0 {TINY}"),
    "train twice": (f"train --models tiny --recipes {{recipes}} {HERE}",) * 2,
    "data prepare twice": (f"data prepare --from {{kaggle}} {HERE}",) * 2,
}
BUSY = "Error: Another process is at "


def at_once(chain: Chain, *commands: str) -> list[Ended]:
    """Run verbs at the same time, and see that each ends well or says who is at it."""
    root = chain.places.workspace
    verbs = [
        Verb(chain.places.words(Step(command, command)), root, root.with_name(f"{number}.output"))
        for number, command in enumerate(commands)
    ]
    ended = [verb.end() for verb in verbs]
    for one in ended:
        assert not one.has_traceback, one.output
        assert one.code == 0 or (one.code == BusyError.exit_code and BUSY in one.output), one.output
    assert any(one.code == 0 for one in ended)
    return ended


def up_to(chain: Chain, name: str) -> None:
    """Fill the workspace with what comes before a step."""
    chain.begin()
    for step in chain.steps:
        if step.name == name:
            return
        assert chain.run(step).code == 0


def step_of(chain: Chain, name: str) -> Step:
    """Return a step by its name."""
    return next(step for step in chain.steps if step.name == name)


def test_two_of_one_verb_end_as_one(quick_chain: Chain) -> None:
    up_to(quick_chain, "data prepare")
    at_once(quick_chain, *PAIRS["data prepare twice"])
    quick_chain.check(step_of(quick_chain, "data prepare"))


@pytest.mark.slow
@pytest.mark.parametrize("pair", sorted(PAIRS))
def test_two_at_once_end_as_one_after_the_other(pair: str, whole_chain: Chain) -> None:
    up_to(whole_chain, "data prepare" if pair.startswith("data") else "features")
    for _ in range(2):
        at_once(whole_chain, *PAIRS[pair])
    last = "data prepare" if pair.startswith("data") else "train heads"
    assert whole_chain.run(step_of(whole_chain, last)).code == 0
    whole_chain.check(step_of(whole_chain, last))


@pytest.mark.slow
def test_reports_while_a_model_is_trained(whole_chain: Chain) -> None:
    up_to(whole_chain, "train pixels")
    root = whole_chain.places.workspace
    train = step_of(whole_chain, "train pixels")
    learning = Verb(whole_chain.places.words(train), root, root.with_name("train.output"))
    reports = 0
    while learning.process.is_alive():
        shown = run(whole_chain.places.words(Step("report", f"report tiny {HERE}")), root)
        assert shown.code == 0, shown.output
        assert (root / "report.html").read_text(encoding="utf-8").rstrip().endswith("</html>")
        reports += 1
    assert learning.end().code == 0
    assert reports
    (root / "report.html").unlink()
    whole_chain.check(train)


@pytest.mark.slow
@pytest.mark.parametrize("names", [("one", "one"), ("one", "two")], ids=["one name", "two names"])
def test_two_blends_are_each_as_alone(names: tuple[str, str], whole_chain: Chain) -> None:
    up_to(whole_chain, "thresholds")
    root, alone = whole_chain.places.workspace, dict[str, dict[str, str]]()
    commands = [f"blend --members tiny,tuned --name {name} --rule optuna --trials 30 {HERE}" for name in names]
    for name, command in zip(names, commands, strict=True):
        assert run(whole_chain.places.words(Step(name, command)), root).code == 0
        alone[name] = of_blend(root, name)
        shutil.rmtree(root / "blends" / name)
    (root / "optuna.db").unlink()
    assert [one.code for one in at_once(whole_chain, *commands)] == [0, 0]
    for name in names:
        assert of_blend(root, name) == alone[name]


def of_blend(root: Path, name: str) -> dict[str, str]:
    """Return the digests of a blend and its submission."""
    kept = digests_of(root).items()
    return {path: digest for path, digest in kept if path.startswith((f"blends/{name}/", f"submissions/{name}."))}


@pytest.mark.slow
def test_a_killed_process_holds_no_lock_and_whoever_waits_is_told_for_whom(whole_chain: Chain) -> None:
    up_to(whole_chain, "features")
    root, features = whole_chain.places.workspace, step_of(whole_chain, "features")
    words = whole_chain.places.words(features)
    killed = run(words, root, Kill(signal.SIGKILL, change=200))
    assert killed.code == -signal.SIGKILL
    ended = at_once(whole_chain, features.words, features.words)
    assert all(one.code == 0 for one in ended)
    told = [one.output for one in ended if "Waiting for another process" in one.output]
    assert all("`features`, process " in output for output in told), told
    whole_chain.check(features)
