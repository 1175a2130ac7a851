import pytest
import rich_click as click
from click.testing import CliRunner

from competition.cluster.flags import RAY, place_flags
from competition.common.errors import UserError


@click.command()
@place_flags(RAY)
def verb(on, address, cpus) -> None:
    click.echo(f"{on} {address} {cpus}")


def test_work_is_done_here_unless_a_place_is_given() -> None:
    assert CliRunner().invoke(verb, []).output == "here None None\n"
    assert CliRunner().invoke(verb, ["--on", "ray", "--address", "auto", "--cpus", "2"]).output == "ray auto 2\n"
    assert CliRunner().invoke(verb, ["--on", "slurm"]).exit_code == 2


@pytest.mark.parametrize("flag", [["--address", "auto"], ["--cpus", "2"]])
def test_flags_of_a_cluster_without_one_are_refused(flag) -> None:
    refused = CliRunner().invoke(verb, flag).exception
    assert isinstance(refused, UserError)
    assert "--on ray" in str(refused)
