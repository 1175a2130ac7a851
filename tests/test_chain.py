"""The whole chain through the command line, as a user runs it."""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from run import main

ROOT = Path(__file__).parent.parent
SHARED = Path(os.environ.get("PLANET_SHARED_DATA", ROOT.parent / "shared" / "data"))
QUICK = ("--input-size", "16", "--epochs", "2", "--dense", "8", "--views", "flips")

FUNGI = """
name = "fungi"
title = "Fungi of the forest floor"
slug = "fungi-of-the-forest-floor"
labels = ["bolete", "chanterelle", "morel"]
unlabelled = true
[metric]
average = "macro"
beta = 1
[tables]
train = "train.csv"
sample_submission = "sample_submission.csv"
id_column = "id"
[images.png]
suffix = ".png"
bands = "RGB"
train = ["train"]
test = ["test"]
"""


def run(*arguments: object, code: int = 0) -> str:
    """Run a verb in this process, where Keras is loaded once for all, and return what it prints."""
    return _run(arguments, code).output


def run_json(*arguments: object, code: int = 0) -> dict[str, Any]:
    """Run a verb in this process and return the JSON that it prints."""
    return json.loads(_run((*arguments, "--json"), code).stdout)


def _run(arguments: tuple[object, ...], code: int) -> Result:
    done = CliRunner().invoke(main, [str(argument) for argument in arguments], catch_exceptions=False)
    assert done.exit_code == code, done.output
    return done


def run_process(*arguments: object) -> str:
    """Run a verb in a process of its own and return what it prints."""
    command = [sys.executable, "run.py", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_help_imports_nothing_heavy() -> None:
    heavy = {"tensorflow", "keras", "pandas", "numpy", "sklearn", "pydantic", "optuna"}
    code = f"import sys, run; print(sorted({heavy} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_from_simulated_archives_to_a_checked_submission(simulated: Path, tmp_path: Path) -> None:
    here = ("--workspace", tmp_path / "my workspace")
    assert "60 chips" in run("data", "prepare", "--from", simulated, *here)
    assert "Ready: 0 errors" in run("data", "check", *here)
    run("folds", "--k", 2, *here)
    workspace = f" --workspace '{here[1]}'"
    assert run("status", *here) == f"No model was begun.\nNext: python run.py train --models baseline{workspace}\n"
    assert "Next: python run.py status" in run("fold", "--model", "baseline", "--fold", 1, *QUICK, *here)
    assert f"Next: python run.py train --models baseline{workspace}\n" in run("status", *here)
    after = f"Next: python run.py thresholds --model baseline{workspace}"
    assert run("train", "--models", "baseline", *here).splitlines()[-1] == after
    assert "is done" in run("fold", "--model", "baseline", "--fold", 1, *here)
    command = f"predict --model baseline --images {simulated / 'test-jpg'} --output scores.csv --tags"
    last = f"Scores of any folder of chips: python run.py {command}{workspace}"
    assert run("status", *here).splitlines()[-2:] == [after, last]
    scores = tmp_path / "scores.csv"
    predict = (*command.replace("scores.csv", str(scores)).split(), *here)
    shown = run(*predict)
    assert "Tags: every label from a score of 0.2, one of every exclusive group.\n" in shown
    better = after.removeprefix("Next: ")
    assert f'0.2 is the cut before any tuning; "{better}" may find better ones.\n' in shown
    run("thresholds", "--model", "baseline", "--trials", 5, *here)
    assert "Next: python run.py blend --members baseline --name baseline-alone" in run("status", *here)
    shown = run("compare", "--rule", "fixed,uniform", "--exclusive", *here)
    assert sorted(re.findall(r"^[* ] (baseline alone, [a-z]+)", shown, re.M)) == [
        "baseline alone, fixed",
        "baseline alone, uniform",
    ]
    assert re.search(r"^Chosen: baseline alone, .*, the simplest within one standard error of the best\.$", shown, re.M)
    assert "choosing like this in each fold by the chips of the others gives" in shown
    advice = f"Next: python run.py blend --auto --members baseline --name best --exclusive --workspace '{here[1]}'"
    assert shown.splitlines()[-1] == advice
    shown = run("blend", "--members", "baseline", "--name", "first", "--trials", 5, *here)
    assert "first.csv is valid: 24 rows" in shown
    assert "identical" in run("validate", "first", "--against", "first", *here)
    shown = run("submit", "first", "--message", "a 'b'", "--dry-run", *here)
    assert "to planet-understanding-the-amazon-from-space would be submitted with the message \"a 'b'\"." in shown
    assert "before any tuning" not in run(*predict)
    assert scores.read_text().splitlines()[0].startswith("image_name,agriculture,")
    assert scores.read_text().splitlines()[0].endswith(",water,tags")
    assert len(scores.read_text().splitlines()) == 1 + len(list((simulated / "test-jpg").iterdir()))


def test_frozen_features_serve_heads_specialists_and_predictions(
    simulated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One bank, made once; a head and a specialist's solved head on it; their blend; scores of a folder."""
    import keras

    from tests.models import samples

    monkeypatch.setattr(keras.applications, "TinyNet", samples.TinyNet, raising=False)
    weights, recipes = tmp_path / "tiny.weights.h5", tmp_path / "recipes.toml"
    samples.TinyNet().save_weights(weights)
    recipes.write_text(f'[tiny]\nbackbone = "TinyNet"\nweights = "{weights}"\ntrain = "head"\nlearning_rate = 0.01')
    here = ("--workspace", tmp_path / "workspace")
    run("data", "prepare", "--from", simulated, *here)
    run("folds", "--k", 2, *here)
    first = ("features", "--models", "tiny", "--name", "first", "--recipes", recipes, "--input-size", 16)
    command = f"train --models tiny --name first --recipes {recipes} --input-size 16 --no-test"
    assert f"Next: python run.py {command}" in run(*first, "--no-test", *here)
    made = run("features", "--models", "tiny", "--recipes", recipes, "--input-size", 16, "--views", "flips", *here)
    assert "60 labelled chips holds 4 features per view" in made
    assert "24 chips to predict is complete" in made
    assert "Next: python run.py train --models tiny" in made
    monkeypatch.setattr("models.graphs.extractor.runner_of", None)  # nothing is left to compute
    for fold in (0, 1):
        shown = run("fold", "--model", "tiny", "--fold", fold, "--recipes", recipes, *QUICK, *here)
        assert "TinyNet frozen, RGB at 16 px" in shown
    rare = ("--only-labels", "haze,water", "--solver", "ridge", "--dense", "none", "--input-size", 16)
    shown = run("train", "--models", "tiny", "--name", "rare", "--recipes", recipes, *rare, "--views", "flips", *here)
    assert "TinyNet frozen, RGB at 16 px, solved by ridge." in shown
    cells = run("status", *here).splitlines()
    assert "Next: python run.py compare --workspace" in cells[-2]
    assert all("..." not in line for line in cells if line.startswith(("tiny", "rare")))
    shown = run("blend", "--members", "tiny,rare", "--name", "both", "--union", "water", "--trials", 5, *here)
    assert "both.csv is valid: 24 rows" in shown
    assert "No scores of" in run("blend", "--members", "rare", "--name", "alone", *here, code=2)
    scores = {}
    for model in ("tiny", "rare"):
        path = tmp_path / f"{model}.csv"
        run("predict", "--model", model, "--images", simulated / "test-jpg", "--output", path, *here)
        scores[model] = path.read_text().splitlines()
    assert len(scores["tiny"][0].split(",")) == 1 + 17
    assert scores["rare"][0] == "image_name,haze,water"
    assert len(scores["rare"]) == 1 + len(list((simulated / "test-jpg").iterdir()))


def test_a_file_opens_any_other_competition(tmp_path: Path) -> None:
    """Other labels, another metric, PNG chips, one-hot columns: nothing but a TOML file."""
    source, labels = tmp_path / "kaggle", ("bolete", "chanterelle", "morel")
    random = np.random.default_rng(0)
    rows = {"train": [], "test": []}
    for split, count in (("train", 24), ("test", 6)):
        (source / split).mkdir(parents=True)
        for i in range(count):
            truth = random.random(3) < 0.5
            chip = random.integers(0, 60, (20, 20, 3)) + 180 * truth  # a label is a colour
            Image.fromarray(chip.astype(np.uint8)).save(source / split / f"{i:03d}.png")
            rows[split].append(f"{i:03d},{','.join(str(int(cell)) for cell in truth)}")
    header = f"id,{','.join(labels)}"
    (source / "train.csv").write_text("\n".join([header, *rows["train"]]))
    (source / "sample_submission.csv").write_text("\n".join([header, *(f"{i:03d},0,0,0" for i in reversed(range(6)))]))
    (tmp_path / "fungi.toml").write_text(FUNGI)
    here = ("--workspace", tmp_path / "workspace", "--competition", tmp_path / "fungi.toml")
    run("data", "prepare", "--from", source, *here)
    run("data", "check", *here)
    run("folds", "--k", 2, *here)
    assert "macro F1" in run("train", "--models", "baseline", *QUICK, *here)
    run("thresholds", "--model", "baseline", "--trials", 5, *here)
    run("blend", "--members", "baseline", "--name", "first", "--method", "vote", "--trials", 5, *here)
    written = (tmp_path / "workspace" / "submissions" / "first.csv").read_text().splitlines()
    assert written[0] == header
    assert [line.split(",")[0] for line in written[1:]] == ["005", "004", "003", "002", "001", "000"]
    assert "prepared for competition 'fungi'" in run("folds", *here[:2], code=2)


def test_commands_name_the_bands_of_chips_without_red_green_and_blue(tmp_path: Path) -> None:
    name = ("--competition", "human-protein-atlas-2018")
    here = ("--workspace", tmp_path / "workspace", *name)
    run("data", "simulate", *name, "--to", tmp_path / "kaggle", "--train", 12, "--test", 4)
    run("data", "prepare", "--from", tmp_path / "kaggle", *here)
    command = "train --models baseline --bands red,green,blue,yellow --workspace"
    assert f"Next: python run.py {command}" in run("folds", "--k", 2, *here)
    assert f"Next: python run.py {command}" in run("status", *here)
    assert f'Run "python run.py {command}' in run("export", "--model", "baseline", "--output", "x.keras", *here, code=2)
    line = 'the .png chips have red, green, blue, yellow. Give "--bands red,green,blue,yellow", or --images with'
    assert line in run("train", "--models", "baseline,residual", *here, code=2)


@pytest.mark.parametrize(
    ("bands", "flag"),
    [
        ("RGB", ""),
        ("BGRN", ""),
        ("NG", " --bands NG"),
        (["B02", "N"], " --bands B02,N"),
        (["grey"], " --bands grey,"),
        (["R", "G", "B", "nir"], ""),
        ([f"B{number}" for number in range(13)], ""),
    ],
)
def test_bands_are_proposed_as_their_flag_takes_them(bands: str | list[str], flag: str) -> None:
    from competition.flags import bands_flag
    from competition.spec.images import ImageSet
    from competition.spec.load import load
    from tests.models.samples import tiny_recipe

    images = ImageSet.model_validate({"suffix": ".png", "bands": bands, "train": ["train"]})
    assert bands_flag(load("planet").model_copy(update={"images": {"png": images}})) == flag
    if flag:
        assert tiny_recipe(bands=flag.split()[1]).band_names == images.bands


def test_commands_in_an_error_name_the_workspace(tmp_path: Path) -> None:
    shown = run("folds", "--workspace", tmp_path / "my own", code=2)
    assert f"data prepare --from DIR --workspace '{tmp_path}/my own'\"" in shown


def test_what_the_system_refuses_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    shown = run("data", "simulate", "--to", tmp_path / "file" / "x", "--train", 1, "--test", 1, code=1)
    assert shown.startswith("Error: Expected a folder, but ")
    assert shown.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["fold", "--model", "baselin", "--fold", "0"], "Unknown recipe 'baselin'. Known: baseline"),
        (["folds", "--competition", "mars"], "ucmerced-multilabel; or give the path of a .toml file."),
        (["folds"], "No data in the workspace"),
        (["features", "--models", "baseline"], "'baseline' does not learn from features: it has train full"),
        (
            ["fold", "--model", "resnet50", "--fold", "0", "--solver", "ridge"],
            "Give --dense none, or --solver gradient",
        ),
        (["fold", "--model", "baseline", "--fold", "0", "--only-labels", "gold"], "label of --only-labels 'gold'"),
        (["train", "--models", "../../x"], "cannot name a model"),
        (["train", "--models", "baseline", "--only-labels", ","], "--only-labels: expected words joined by commas, or"),
    ],
)
def test_a_mistake_is_one_line(arguments: list[str], line: str, prepared: Path, tmp_path: Path) -> None:
    workspace = tmp_path / "none" if arguments == ["folds"] else prepared
    shown = run(*arguments, "--workspace", workspace, code=2)
    assert shown.startswith("Error: ")
    assert line in shown
    assert shown.count("\n") == 1


@pytest.mark.slow
@pytest.mark.skipif(not (SHARED / "planet32").is_dir(), reason=f"no real data in {SHARED}; set PLANET_SHARED_DATA")
def test_planet32_from_kaggles_archives_to_61191_rows(tmp_path: Path) -> None:
    """The issue's chain on real chips; 15 to 30 minutes on 2 cores."""
    here, before = ("--workspace", tmp_path / "workspace"), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    run_process("data", "prepare", "--from", SHARED / "planet32", *here)
    assert "Ready: 0 errors" in run_process("data", "check", *here)
    run_process("folds", *here)
    recipe = ("--input-size", "32", "--epochs", "8", "--views", "flips")
    run_process("fold", "--model", "baseline", "--fold", 3, *recipe, *here)
    run_process("train", "--models", "baseline", *recipe, *here)
    run_process("thresholds", "--model", "baseline", *here)
    run_process("blend", "--members", "baseline", "--name", "first", "--any-of-group", *here)
    blend = json.loads((tmp_path / "workspace" / "blends" / "first" / "blend.json").read_text())
    assert blend["chips"] == 36037
    assert blend["figures"][0]["interval"][0] > 0.857  # ExtraTrees on raw pixels
    assert len((tmp_path / "workspace" / "submissions" / "first.csv").read_text().splitlines()) == 1 + 61191
    # The largest child of this process so far, in kB: an earlier test may have had a larger one, and a child begins
    # with what this process had when it was forked.
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss <= max(before, own, 3e6)


@pytest.mark.slow
@pytest.mark.skipif(not (SHARED / "planet256").is_dir(), reason=f"no real data in {SHARED}; set PLANET_SHARED_DATA")
def test_frozen_mobilenet_on_full_size_chips(tmp_path: Path) -> None:
    here, weights = ("--workspace", tmp_path / "workspace"), SHARED / "weights" / "mobilenet_v2_notop.weights.h5"
    run_process("data", "prepare", "--from", SHARED / "planet256", *here)
    run_process("folds", *here)
    run_process("train", "--models", "mobilenet_v2", "--weights", weights, "--input-size", 96, "--epochs", 10, *here)
    run_process("thresholds", "--model", "mobilenet_v2", "--trials", 20, *here)
    cuts = json.loads((tmp_path / "workspace" / "runs" / "mobilenet_v2" / "cuts.json").read_text())
    assert cuts["figures"][0]["cross_fitted"] > 0.8
