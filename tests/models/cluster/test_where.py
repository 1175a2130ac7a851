import pytest

from competition.cluster.threads import threads_here
from competition.common.errors import UserError
from models.cluster.where import train_where
from tests.conftest import K
from tests.models.cluster.samples import training_of


def test_flags_of_slurm_elsewhere_are_refused(workspace) -> None:
    with pytest.raises(UserError, match="--on slurm"):
        train_where(training_of(workspace, "one"), slurm="time=60")


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        ({"print_jobs": True, "on": "ray"}, "--print-jobs, --on ray"),
        ({"prepare": True, "on": "slurm"}, "--prepare, --on slurm"),
        ({"print_jobs": True, "prepare": True}, "--print-jobs, --prepare"),
    ],
)
def test_of_flags_that_say_where_one_is_given(workspace, flags, named: str) -> None:
    with pytest.raises(UserError, match=f"give one of {named}"):
        train_where(training_of(workspace, "one"), **flags)
    assert not workspace.runs.exists()


def test_commands_alone_are_shown_and_nothing_is_made(workspace, capsys) -> None:
    assert train_where(training_of(workspace, "one"), print_jobs=True) is None
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:4] for line in lines if not line.startswith("#")] == [
        ["python", "run.py", "train", "--models"],
        *[["python", "run.py", "fold", "--model"]] * K,
    ]
    assert all(f" --threads {threads_here()} " in line for line in lines if not line.startswith("#"))
    assert not workspace.runs.exists()


def test_preparing_binds_a_model_to_nothing(workspace) -> None:
    assert train_where(training_of(workspace, "one"), prepare=True) is None
    assert list(workspace.cache.glob("*"))
    assert not workspace.runs.exists()
