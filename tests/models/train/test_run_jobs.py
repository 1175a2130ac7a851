"""The folds of a model at once: what each makes alone, whatever another process is at, and whatever comes between."""

from __future__ import annotations

import gc
import re
import shutil
import signal
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from competition.common.errors import UserError
from competition.common.locks import BusyError
from competition.spec.load import load
from competition.workspace import Workspace
from folds.dealing.table import FoldTable
from folds.store.alone import alone
from models.backend.made import MADE
from models.heads.group import HeadGroup
from models.inputs.sources import Sources
from models.runs.curves import LEARNT
from models.runs.event_log import LOGS, PREFIX
from models.runs.folders import HISTORY, LOG, NETWORK
from models.runs.status import reached
from models.runs.training_state import checkpoints, state_of
from models.train.job import Job
from models.train.run_jobs import run_jobs
from tests.conftest import K
from tests.models import samples
from tests.models.samples import content_of, frozen, tiny_job
from tests.models.train.conftest import interrupt_heads_after, no_head_is_to_be_trained

HEADS: dict[str, Any] = {"epochs": 12, "views": "identity", "augment": (), "seeds": 2, "learning_rate": 0.02}


@pytest.fixture(scope="module")
def banked(prepared, tiny_weights, tmp_path_factory) -> Path:
    """A workspace whose chips are decoded and whose features are made. Not to be changed."""
    root = tmp_path_factory.mktemp("banked") / "workspace"
    shutil.copytree(prepared, root)
    workspace = Workspace(root, load("planet"))
    with pytest.MonkeyPatch.context() as context:
        context.setattr(keras.applications, "TinyNet", samples.TinyNet, raising=False)
        recipe = tiny_job(workspace, **frozen(tiny_weights, **HEADS)).recipe
        sources = Sources(workspace, recipe)
        for split in ("train", "test"):
            sources.bank(split, ("identity",))
    return root


@pytest.fixture
def workspace(banked, tmp_path, tiny_net) -> Workspace:
    shutil.copytree(banked, tmp_path / "workspace")
    return Workspace(tmp_path / "workspace", load("planet"))


@pytest.fixture
def jobs(workspace, tiny_weights) -> list[Job]:
    return jobs_in(workspace, tiny_weights)


@pytest.fixture(scope="module")
def whole(banked, tiny_weights, tmp_path_factory) -> list[Job]:
    """All folds, done at once. Not to be changed."""
    root = tmp_path_factory.mktemp("whole") / "workspace"
    shutil.copytree(banked, root)
    jobs = jobs_in(Workspace(root, load("planet")), tiny_weights)
    with pytest.MonkeyPatch.context() as context:
        context.setattr(keras.applications, "TinyNet", samples.TinyNet, raising=False)
        run_jobs(jobs)
    return jobs


@pytest.fixture
def done(jobs, whole) -> list[Job]:
    """All folds, done at once, to be changed."""
    shutil.copytree(whole[0].workspace.runs, jobs[0].workspace.runs)
    return jobs


def jobs_in(workspace: Workspace, weights: str, **values: Any) -> list[Job]:
    return [tiny_job(workspace, fold, **frozen(weights, **{**HEADS, **values})) for fold in range(K)]


def made_by(job: Job) -> list[Any]:
    """Return everything that is made of a fold, but for the seconds that it took."""
    scores = job.store.read(job.model, job.fold)
    folders = [job.folder, job.folder / "seed1"]
    figures = [[vars(epoch) | {"seconds": 0} for epoch in state_of(folder).history] for folder in folders]
    return [scores.heldout.names, scores.heldout.values.tobytes(), scores.test.values.tobytes(), figures]


def kept_in(folder: Path) -> set[str]:
    """Return the names of all files, those of event files without when they were begun."""
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    return {re.sub(r"(tfevents\.).*", r"\1", name) for name in names}


def test_a_fold_alone_is_the_one_of_all_folds_at_once(jobs, whole):
    for job, other in zip(jobs, whole, strict=True):
        run_jobs([job])
        assert made_by(job) == made_by(other)
        assert kept_in(job.folder) == kept_in(other.folder) == {
            "job.json", LOG, MADE, HISTORY, NETWORK, LEARNT, "heldout.npz", "test.npz", "scores.json",
            f"seed1/{HISTORY}", f"seed1/{NETWORK}",
            *(f"{seed}{split}/{PREFIX}" for seed in ("", "seed1/") for split in LOGS),
        }  # fmt: skip
    assert len({state_of(job.folder).history[-1].heldout_loss for job in jobs}) == K


def test_the_log_of_each_fold_says_what_it_reached_and_each_epoch_once(whole):
    for job in whole:
        log = (job.folder / LOG).read_text().splitlines()
        heldout = job.store.read(job.model, job.fold).heldout
        value = reached(heldout, job.task, job.workspace.labelled)
        assert sum(line.startswith("epoch ") for line in log) == 12
        assert any(line.startswith(f"Held-out F2 {value:.4f} ") for line in log)
        assert sum(line.startswith(f"'tiny' fold {job.fold} of 3") for line in log) == 1
        assert any(line.startswith(f"Wrote {job.folder}: best epoch ") for line in log)


def test_heads_learn_and_are_judged_under_the_views_of_their_recipe(workspace, tiny_weights):
    run_jobs(jobs_in(workspace, tiny_weights, augment=("quarter_turns",), views="flips", epochs=1)[:1])
    made = {path.stem for path in (workspace.cache / "features").glob("*/*.npy")}
    assert made == {"identity", "turn90", "turn180", "turn270", "mirror", "turn180_mirror"}


@pytest.mark.parametrize("solver", ["ridge", "logistic"])
def test_a_solver_takes_the_place_of_training(workspace, tiny_weights, monkeypatch, solver):
    no_head_is_to_be_trained(monkeypatch)
    jobs = jobs_in(workspace, tiny_weights, solver=solver, dense=(), seeds=1)
    run_jobs(jobs[:2])
    for job in jobs[:2]:
        state, scores = state_of(job.folder), job.store.read(job.model, job.fold)
        assert state.epochs == 1
        value = reached(scores.heldout, job.task, workspace.labelled)
        assert value == pytest.approx(state.history[0].heldout_metric, abs=1e-6)
        assert np.isfinite(scores.test.values).all()


# What is there already


def test_what_is_done_is_not_done_again_and_the_rest_is(done, lines, monkeypatch):
    jobs = done
    for job in (jobs[0], jobs[2]):
        shutil.rmtree(job.folder)
    before = {name: content for name, content in content_of(jobs[1].folder).items() if name not in (LOG, MADE)}
    run_jobs(jobs)
    assert lines[0].startswith("'tiny' fold 1 is done: held-out F2 0.")
    assert {name: content for name, content in content_of(jobs[1].folder).items() if name not in (LOG, MADE)} == before
    assert jobs[0].store.folds_of("tiny") == [0, 1, 2]
    no_head_is_to_be_trained(monkeypatch)
    lines.clear()
    run_jobs(jobs)
    assert [line.split(":")[0] for line in lines] == [f"'tiny' fold {fold} is done" for fold in range(K)]


def test_scores_that_were_lost_are_made_again_without_training(done, whole, monkeypatch):
    for job in done[1:]:
        (job.folder / "scores.json").unlink()
    no_head_is_to_be_trained(monkeypatch)
    run_jobs(done)
    assert [made_by(job) for job in done] == [made_by(job) for job in whole]


def test_a_head_that_was_lost_is_fitted_again_alone(done, whole, monkeypatch):
    trained = []
    (done[2].folder / "seed1" / NETWORK).unlink()
    (done[2].folder / "scores.json").unlink()
    begin = HeadGroup.__post_init__

    def remember(group: HeadGroup) -> None:
        trained.append(group)
        begin(group)

    monkeypatch.setattr(HeadGroup, "__post_init__", remember)
    run_jobs(done)
    assert len(trained) == 1
    assert made_by(done[2]) == made_by(whole[2])


# Other processes


def test_a_fold_that_another_process_is_at_is_passed_over_or_refused(done, lines):
    jobs, busy = done, 1
    for job in jobs[1:]:
        shutil.rmtree(job.folder)
    with alone(jobs[busy].folder):
        with pytest.raises(BusyError, match=f"Another process is at 'tiny' fold {busy}"):
            run_jobs(jobs)
        assert jobs[0].store.folds_of("tiny") == [0]
        run_jobs(jobs, pass_on=True)
    assert jobs[0].store.folds_of("tiny") == [0, 2]
    passed = rf"Another process is at 'tiny' fold {busy}: .+\. Wait for it to end\. Passing on to the next fold\."
    assert any(re.fullmatch(passed, line) for line in lines)


def test_while_folds_are_trained_no_other_process_may_be_at_them(jobs, monkeypatch):
    tried = []

    def try_them(*_: Any) -> None:
        for job in jobs:
            with pytest.raises(BusyError), alone(job.folder):
                pass
            tried.append(job)
        raise KeyboardInterrupt

    monkeypatch.setattr("models.train.fit_heads.train_together", try_them)
    with pytest.raises(KeyboardInterrupt):
        run_jobs(jobs)
    assert tried == jobs
    for job in jobs:
        with alone(job.folder):
            pass


# What comes between


@pytest.fixture
def ctrl_c(monkeypatch) -> Iterator[None]:
    """Press Ctrl-C in the midst of the epochs, by Python's own handler, which a shell may have taken away."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    interrupt_heads_after(monkeypatch, 5, lambda: signal.pthread_kill(threading.main_thread().ident, signal.SIGINT))
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("checkpoint_each_epoch", "ctrl_c")
def test_ctrl_c_keeps_what_was_finished_and_the_rest_goes_on_as_if_there_had_been_none(jobs, whole, lines):
    with pytest.raises(KeyboardInterrupt):
        run_jobs(jobs)
    begun = [state_of(job.folder).epochs for job in jobs]
    assert 5 <= sum(begun) < 12 * K
    lines.clear()
    run_jobs(jobs)
    assert sum(line.startswith("Going on after epoch ") for line in lines) == sum(epochs > 0 for epochs in begun)
    assert [made_by(job) for job in jobs] == [made_by(job) for job in whole]
    assert not any(checkpoints(job.folder) for job in jobs)


def test_a_start_that_ends_before_its_first_checkpoint_leaves_nothing(jobs, monkeypatch):
    interrupt_heads_after(monkeypatch, 2)
    with pytest.raises(KeyboardInterrupt):
        run_jobs(jobs)
    assert not list(jobs[0].workspace.runs.glob("*"))


@pytest.mark.usefixtures("checkpoint_each_epoch")
def test_interrupted_while_the_second_fold_is_scored_nothing_is_trained_again(jobs, monkeypatch):
    finish = Job.finish

    def stop(job: Job, *rest: Any) -> None:
        if job.fold == 1:
            raise KeyboardInterrupt
        finish(job, *rest)

    with monkeypatch.context() as context:
        context.setattr(Job, "finish", stop)
        with pytest.raises(KeyboardInterrupt):
            run_jobs(jobs)
    assert jobs[0].store.folds_of("tiny") == [0]
    no_head_is_to_be_trained(monkeypatch)
    run_jobs(jobs)
    assert jobs[0].store.folds_of("tiny") == [*range(K)]


@pytest.mark.usefixtures("checkpoint_each_epoch")
def test_one_fold_begun_otherwise_is_refused_and_none_is_begun(jobs, workspace, tiny_weights, monkeypatch):
    with monkeypatch.context() as context:
        interrupt_heads_after(context, 1)
        with pytest.raises(KeyboardInterrupt):
            run_jobs(jobs[1:2])
    folds = FoldTable.read(workspace.fold_table)
    FoldTable(folds.image_names, folds.folds[:, ::-1], folds.k).write(workspace.fold_table)
    with pytest.raises(
        UserError, match=r"'tiny' fold 1 was begun with another fold table\. To go on, .*--fold 1 --restart"
    ):
        run_jobs(jobs_in(workspace, tiny_weights))
    assert [path.name for path in sorted(jobs[1].folder.parent.glob("fold*"))] == ["fold1"]
    assert state_of(jobs[1].folder).epochs == 1


def test_nothing_of_a_run_stays_in_memory(jobs, monkeypatch):
    banks, groups, bank = [], [], Sources.bank

    def remember(*given: Any) -> Any:
        found = bank(*given)
        banks.extend(
            weakref.ref(array) for array in (found, *(array for maps in found.maps.values() for array in maps))
        )
        return found

    begin = HeadGroup.__post_init__
    monkeypatch.setattr(Sources, "bank", remember)
    monkeypatch.setattr(HeadGroup, "__post_init__", lambda group: (groups.append(weakref.ref(group)), begin(group))[1])
    run_jobs(jobs)
    gc.collect()
    assert len(groups) == K
    assert [one() for one in [*banks, *groups]] == [None] * (len(banks) + K)
