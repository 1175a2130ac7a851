"""The chain that is disturbed: every verb that writes, on a competition so small that each takes a second or two."""

from __future__ import annotations

import multiprocessing
import shutil
from dataclasses import dataclass
from pathlib import Path

from competition.simulator.simulate import simulate

NUM_TRAIN, NUM_TEST, SIZE = 48, 20, 32
HEAD = (
    "train = 'head'\ninput_size = 16\ndense = [8]\nepochs = 6\nbatch_size = 16\nviews = 'flips'\nlearning_rate = 0.01"
)
PIXELS = "input_size = 16\ndense = [8]\nepochs = 3\nbatch_size = 16\nviews = 'flips'\npatience = 0"
RECIPES = """
[tiny]
backbone = "TinyNet"
weights = "{weights}"
{head}
[pixels]
backbone = "two_convolutions"
weights = "none"
train = "full"
{pixels}
[tuned]
backbone = "TinyNet"
weights = "{weights}"
train = "finetune"
learning_rate = 0.0001
{pixels}
"""


@dataclass(frozen=True)
class Step:
    """One verb of the chain.

    Attributes:
        name: of the step, for the table.
        words: of the verb, with {names} for places.
        keeps: whether what was complete is not to be made again by it.
    """

    name: str
    words: str
    keeps: bool = True


HERE = "--workspace {workspace} --competition {workspace}/mine.toml"
STEPS = (
    Step(
        "competition init", "competition init --from {kaggle} --output {workspace}/mine.toml --metric f2 --force", False
    ),
    Step("data prepare", f"data prepare --from {{kaggle}} {HERE}"),
    Step("folds", f"folds --k 2 {HERE}"),
    Step("features", f"features --models tiny --recipes {{recipes}} {HERE}"),
    Step("fold", f"fold --model tiny --fold 0 --recipes {{recipes}} {HERE}"),
    Step("train heads", f"train --models tiny --recipes {{recipes}} {HERE}"),
    Step("train pixels", f"train --models pixels --recipes {{recipes}} {HERE}"),
    Step("train tuned", f"train --models tuned --recipes {{recipes}} {HERE}"),
    Step("thresholds", f"thresholds --model pixels --trials 26 {HERE}", False),
    Step("compare", f"compare --methods mean,greedy --rule fixed,uniform,optuna --trials 20 {HERE}", False),
    Step("blend", f"blend --members tiny,pixels --name plain --trials 20 {HERE}", False),
    Step("blend, study", f"blend --members tiny,tuned --name studied --rule optuna --trials 30 {HERE}", False),
    Step("export", f"export --model pixels --output {{workspace}}/pixels.keras {HERE}", False),
    Step(
        "predict",
        f"predict --model tiny --images {{chips}} --output {{workspace}}/scores.csv --tags {HERE}",
        False,
    ),
    Step("adversarial", f"adversarial tiny {HERE}", False),
    Step("pseudo", f"pseudo labels --from tiny {HERE}", False),
    Step("train student", f"train --models tiny --name student --pseudo labels --recipes {{recipes}} {HERE}"),
    Step("report", f"report {HERE}", False),
)


@dataclass(frozen=True)
class Places:
    """Where a chain is at work: its workspace, and what all chains share."""

    shared: Path
    workspace: Path

    def words(self, step: Step) -> list[str]:
        """Return the arguments of a verb."""
        kaggle, recipes = self.shared / "kaggle", self.shared / "recipes.toml"
        chips = self.shared / "chips" / "test-jpg"
        return [
            word.format(workspace=self.workspace, kaggle=kaggle, recipes=recipes, chips=chips)
            for word in step.words.split()
        ]


def make_shared(folder: Path, *, with_weights: bool = True) -> None:
    """Fill the folder that all chains share: what Kaggle ships, packed; weights; recipes."""
    chips, kaggle = folder / "chips", folder / "kaggle"
    simulate(chips, num_train=NUM_TRAIN, num_test=NUM_TEST, size=SIZE, rare_boost=8.0)
    kaggle.mkdir()
    for part in sorted(chips.iterdir()):
        if part.is_dir():
            shutil.make_archive(str(kaggle / part.name), "zip", chips, part.name)
        else:
            shutil.copy2(part, kaggle)
    if not with_weights:
        return
    weights = folder / "tiny.weights.h5"
    maker = multiprocessing.get_context("forkserver").Process(target=_make_weights, args=(weights,))
    maker.start()
    maker.join()
    (folder / "recipes.toml").write_text(RECIPES.format(weights=weights, head=HEAD, pixels=PIXELS), encoding="utf-8")


def _make_weights(path: Path) -> None:
    import keras

    from tests.models import samples

    keras.utils.set_random_seed(7)
    samples.saved(path, samples.TinyNet())
