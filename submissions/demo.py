"""What the demonstration made, and what to do with real data."""

from __future__ import annotations

import json
from pathlib import Path

from tabulate import tabulate

from competition.labels import read_label_table
from competition.metrics import f_beta
from competition.spec import load
from submissions.members.blend_files import MARKER

NEXT = """These chips are made up: the figures say that the chain works, not how well it would do.

With the real data (accept the competition's rules on Kaggle first):
  python run.py data download
  python run.py folds
  python run.py train --models mobilenet_v2
  python run.py blend --members mobilenet_v2 --name first --any-weather"""


def demo_text(blend: Path, submission: Path, kaggle: Path) -> str:
    """Return the table of the blend and its members, the score on the simulated test chips, and the next commands.

    Args:
        blend: folder of the blend.
        submission: the CSV written from it.
        kaggle: folder of the simulated data, with the truth of the test chips.
    """
    planet = load("planet")
    figures = json.loads((blend / MARKER).read_text(encoding="utf-8"))["figures"]
    rows = [[row["name"], f"{row['cross_fitted']:.4f}", "{:.4f} to {:.4f}".format(*row["interval"])] for row in figures]
    table = tabulate(rows, ["", f"{planet.metric.name}, cross-fitted", "95 % interval"], disable_numparse=True)
    truth, decided = (read_label_table(path, planet) for path in (kaggle / "simulated_test_labels.csv", submission))
    score = f_beta(truth.truth, decided.truth, planet.metric)
    reached = f"the submission reaches {planet.metric.name} {score:.4f}."
    return f"{table}\n\nOn the made-up test chips, as Kaggle would score it, {reached}\n{NEXT}"
