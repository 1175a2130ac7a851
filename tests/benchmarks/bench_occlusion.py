"""Whether the maps of `report --overlays` point at what is there, on simulated chips, whose painter knows where it was.

The pointing game (Zhang et al., "Top-down neural attention by excitation backprop", 2018): a map hits if its highest
point lies on what was painted for the label, or within three pixels of 64 of it. Chance is the share of the chip that
is as near. What a square adds is the median of the changes over all places of a chip, in log odds: it would be 0 if
hiding a place without meaning changed nothing.

Measured, with 3 folds of 600 chips and the standard error of hits over chance:

    network                     hidden by             chips   hit    chance  error   hit if outlined   adds
    DenseNet121, frozen, 64 px  colour and texture    144     .799   .301    .034    .835 (76 %)       .20
                                a grey square         144     .826   .301    .033    .846 (85 %)       .45
    residual, 32 px             colour and texture     67     .672   .288    .053    .784 (55 %)       .03
                                a grey square          67     .612   .288    .056    .657 (52 %)       .04

Run: python -m tests.benchmarks.bench_occlusion [--weights FILE]   (of DenseNet121; without, a small network is trained)
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter

import run
from competition.simulator.label_rates import draw_labels
from competition.simulator.render import LABELS, render_chip
from competition.spec.load import load
from competition.workspace import Workspace
from models.predict import occlusion
from models.predict.occlusion import CELLS, Hidden, Occlusion, places, without_places
from submissions.decide.log_odds import log_odds
from submissions.evidence.looks import look_for

SIZE, NUM_CHIPS, RARE_BOOST = 64, 900, 6
PER_LABEL, NEAR = 25, 7
PLACED = (
    "road", "water", "conventional_mine", "artisinal_mine", "slash_burn", "bare_ground", "cultivation", "habitation",
    "selective_logging", "blow_down",
)  # fmt: skip


def painted(truth: NDArray[np.bool_], number: int, label: str) -> NDArray[np.bool_]:
    """Return where a label changes the simulated chip of a number (SIZE, SIZE)."""
    without = truth.copy()
    without[LABELS.index(label)] = False
    drawn = [render_chip(row, SIZE, np.random.default_rng((0, 0, number + 1))) for row in (truth, without)]
    changed: NDArray[np.bool_] = np.abs(drawn[0] - drawn[1])[:, :, :3].max(axis=2) > 0.03
    return changed


def grey_squares(chip: NDArray[Any]) -> NDArray[Any]:
    """Return a chip with each place covered by a square of its mean colour, as in the source."""
    covered = np.repeat(chip[None], len(places()), axis=0)
    for seen, ends in zip(covered, (places() * len(chip)).round().astype(int), strict=True):
        top, left, bottom, right = ends
        seen[top:bottom, left:right] = chip.mean(axis=(0, 1))
    return covered


def trained(root: Path, weights: Path | None) -> Workspace:
    """Return a workspace of simulated chips with the model "seen"."""
    here, kaggle = ["--workspace", str(root / "workspace")], str(root / "kaggle")
    if weights:
        train = ["densenet121_levels", "--weights", str(weights), "--input-size", "64", "--epochs", "16"]
    else:
        train = ["residual", "--input-size", "32", "--epochs", "16", "--batch-size", "32"]
    sizes = [f"--train={NUM_CHIPS}", "--test=30", f"--size={SIZE}", f"--rare-boost={RARE_BOOST}"]
    for arguments in (
        ["data", "simulate", *sizes, "--to", kaggle],
        ["data", "prepare", "--from", kaggle, *here],
        ["folds", "--k", "3", *here],
        ["train", "--models", *train, "--name", "seen", "--no-test", *here],
    ):
        run.main(arguments, standalone_mode=False)
    return Workspace(root / "workspace", load("planet"))


def measure(workspace: Workspace, hide: Callable[[NDArray[Any]], NDArray[Any]]) -> str:
    """Return hits, chance and what a square adds, over labels, with chips hidden in one way."""
    occlusion.without_places = hide
    labelled, columns = workspace.labelled, workspace.competition.label_index
    truth = draw_labels(NUM_CHIPS, np.random.default_rng((0, 0, 0)), RARE_BOOST)
    names = {f"train_{number}": number for number in range(NUM_CHIPS)}
    row = {name: number for number, name in enumerate(labelled.image_names)}
    wanted = {
        label: [name for name in names if labelled.truth[row[name], columns[label]]][:PER_LABEL] for label in PLACED
    }
    chips = sorted({name for some in wanted.values() for name in some})
    found: dict[str, Hidden] = {hidden.name: hidden for hidden in Occlusion(workspace)("seen", chips)}
    rows = []
    for label, some in wanted.items():
        for name in some:
            if found[name].scores[columns[label]] < 0.3:  # nothing is to be found where the network finds nothing
                continue
            near = maximum_filter(painted(truth[names[name]], names[name], label), NEAR)
            look = look_for(label, columns[label], found[name])
            y, x = np.unravel_index(int(look.falls.argmax()), look.falls.shape)
            scale = SIZE / len(look.falls)
            rows.append((label, near[int((y + 0.5) * scale), int((x + 0.5) * scale)], near.mean(), look.matters))
    added = [np.abs(np.median(log_odds(it.scores) - log_odds(it.hidden), axis=0)).mean() for it in found.values()]
    lines = []
    for label in PLACED:
        own = np.array([row[1:] for row in rows if row[0] == label], dtype=float)
        if len(own):
            hit, chance, matters = own.mean(axis=0)
            lines.append(f"  {label:18} {len(own):3} chips: hit {hit:.2f}, chance {chance:.2f}, outlined {matters:.2f}")
    hits, chances, outlined = np.array([row[1:] for row in rows], dtype=float).T
    error = np.sqrt((hits - chances).var(ddof=1) / len(rows))
    lines.append(f"  all {len(rows)}: hit {hits.mean():.3f}, chance {chances.mean():.3f}, error {error:.3f}")
    lines.append(f"  of those outlined, {outlined.mean():.0%}: hit {hits[outlined > 0].mean():.3f}")
    lines.append(f"  what a square adds: {np.mean(added):.2f}")
    return "\n".join(lines)


def main() -> None:
    """Print both ways of hiding a place."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--weights", type=Path)
    with tempfile.TemporaryDirectory() as folder:
        workspace = trained(Path(folder), parser.parse_args().weights)
        for name, hide in (("the chip's usual colour and texture", without_places), ("a grey square", grey_squares)):
            print(f"{name}, {CELLS + 1} x {CELLS + 1} places\n{measure(workspace, hide)}")


if __name__ == "__main__":
    main()
