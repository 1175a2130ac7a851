import pytest

from competition.common.errors import UserError
from models.cluster.where import train_where
from tests.conftest import K
from tests.models.cluster.samples import training_of


def test_flags_of_slurm_elsewhere_are_refused(workspace) -> None:
    with pytest.raises(UserError, match="--on slurm"):
        train_where(training_of(workspace, "one"), slurm="time=60")


def test_commands_alone_are_shown_and_nothing_is_made(workspace, capsys) -> None:
    assert train_where(training_of(workspace, "one"), print_jobs=True) is None
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:4] for line in lines if not line.startswith("#")] == [
        ["python", "run.py", "train", "--models"],
        *[["python", "run.py", "fold", "--model"]] * K,
    ]
    assert not workspace.runs.exists()


def test_preparing_binds_a_model_to_nothing(workspace) -> None:
    assert train_where(training_of(workspace, "one"), prepare=True) is None
    assert list(workspace.cache.glob("*"))
    assert not workspace.runs.exists()
