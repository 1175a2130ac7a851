"""What the demonstration made, and what to do with real data."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from competition.common.errors import spelled
from competition.common.records import read_record
from competition.metrics.judge import measure
from competition.spec.load import load
from competition.tables.labels import read_label_table
from competition.terminal.tables import table
from submissions.members.blend_files import FORMAT, MARKER

BEGINS = "The whole chain on made-up chips. On two cores it takes two and a half to four minutes; Ctrl-C stops it."
MADE_UP = """These chips are made up: the figures say that the chain works, not how well it would do.

With the real data (accept the competition's rules on Kaggle first):"""
WITH_REAL_DATA = (
    "data download",
    "folds",
    "train --models mobilenet_v2",
    "blend --members mobilenet_v2 --name first --any-of-group",
)


SIMULATE = "data simulate --train 900 --test 300 --size 64 --rare-boost 6"
CHAIN = (
    "data check",
    "folds --k 3",
    "train --models baseline --input-size 32 --epochs 12 --batch-size 32",
    "train --models residual --input-size 32 --epochs 8 --batch-size 32",
    "thresholds --model residual --trials 50",
    "blend --members baseline,residual --name demo --trials 50",
    "submit demo --message demo --dry-run",
    "report",
)


def chain(workspace: Path, kaggle: Path) -> Iterator[list[str]]:
    """Yield the commands of the demonstration, each as its words; chips are made up unless they are there."""
    if not kaggle.is_dir():
        yield [*SIMULATE.split(), "--to", str(kaggle)]
    here = ["--workspace", str(workspace)]
    yield ["data", "prepare", "--from", str(kaggle), *here]
    yield from ([*command.split(), *here] for command in CHAIN)


def demo_text(blend: Path, submission: Path, kaggle: Path) -> str:
    """Return the table of the blend and its members, the score on the simulated test chips, and the next commands.

    Args:
        blend: folder of the blend.
        submission: the CSV written from it.
        kaggle: folder of the simulated data, with the truth of the test chips.
    """
    planet = load("planet")
    kept = read_record(blend / MARKER, lambda content: content["figures"], version=FORMAT)
    rows = [[row["name"], f"{row['cross_fitted']:.4f}", "{:.4f} to {:.4f}".format(*row["interval"])] for row in kept]
    figures = table(["", f"{planet.metric.title}, cross-fitted", "95 % interval"], rows)
    truth, decided = (read_label_table([path], planet) for path in (kaggle / "simulated_test_labels.csv", submission))
    score = measure(truth.truth, decided.truth, planet.metric)
    reached = f"the submission reaches {planet.metric.title} {score:.4f}."
    commands = [f"  {spelled(command)}" for command in WITH_REAL_DATA]
    return "\n".join(
        [figures, "", f"On the made-up test chips, as Kaggle would score it, {reached}", MADE_UP, *commands]
    )
