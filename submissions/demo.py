"""What the demonstration made, and what to do with real data."""

from __future__ import annotations

from pathlib import Path

from tabulate import tabulate

from competition.common.errors import spelled
from competition.common.records import read_record
from competition.metrics.judge import measure
from competition.spec.load import load
from competition.tables.labels import read_label_table
from submissions.members.blend_files import FORMAT, MARKER

MADE_UP = """These chips are made up: the figures say that the chain works, not how well it would do.

With the real data (accept the competition's rules on Kaggle first):"""
WITH_REAL_DATA = (
    "data download",
    "folds",
    "train --models mobilenet_v2",
    "blend --members mobilenet_v2 --name first --any-of-group",
)


def demo_text(blend: Path, submission: Path, kaggle: Path) -> str:
    """Return the table of the blend and its members, the score on the simulated test chips, and the next commands.

    Args:
        blend: folder of the blend.
        submission: the CSV written from it.
        kaggle: folder of the simulated data, with the truth of the test chips.
    """
    planet = load("planet")
    figures = read_record(blend / MARKER, lambda content: content["figures"], version=FORMAT)
    rows = [[row["name"], f"{row['cross_fitted']:.4f}", "{:.4f} to {:.4f}".format(*row["interval"])] for row in figures]
    table = tabulate(rows, ["", f"{planet.metric.title}, cross-fitted", "95 % interval"], disable_numparse=True)
    truth, decided = (read_label_table([path], planet) for path in (kaggle / "simulated_test_labels.csv", submission))
    score = measure(truth.truth, decided.truth, planet.metric)
    reached = f"the submission reaches {planet.metric.title} {score:.4f}."
    commands = [f"  {spelled(command)}" for command in WITH_REAL_DATA]
    return "\n".join([table, "", f"On the made-up test chips, as Kaggle would score it, {reached}", MADE_UP, *commands])
