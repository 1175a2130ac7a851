"""A model's recipe: recorded before long work, kept, and refused to be another."""

from __future__ import annotations

import json
import re
import shutil

import numpy as np
import pytest
from click.testing import CliRunner

from competition.common.errors import UserError
from models.runs.folders import JOB, RECIPE
from models.runs.model_recipe import ModelRequest, read_recipe, recipe_of, record_recipe
from models.train.run_jobs import run_jobs
from run import main
from tests.conftest import K, store_of
from tests.models import samples
from tests.models.samples import content_of, tiny_job, tiny_recipe


def test_during_long_work_another_recipe_is_refused_and_the_same_one_joins(workspace, monkeypatch):
    worked = []

    def decode(*_: object) -> None:
        worked.append(store_of(workspace).models())
        if len(worked) > 1:
            raise KeyboardInterrupt
        assert recipe_of(workspace, ModelRequest("tiny")) == tiny_recipe()
        with pytest.raises(UserError, match=r"was begun with epochs 2 \(received 9\)"):
            recipe_of(workspace, ModelRequest("tiny", overrides={"epochs": 9}))
        # It had read the recipe before the other one recorded its own.
        with pytest.raises(UserError, match=r"Another process has begun 'tiny' with seed 0 \(received 5\)"):
            run_jobs([tiny_job(workspace, 1, seed=5)])
        assert len(worked) == 1
        with pytest.raises(KeyboardInterrupt):
            run_jobs([tiny_job(workspace, 1)])
        assert read_recipe(workspace, "tiny") == tiny_recipe()
        worked.append("all of the above")
        raise KeyboardInterrupt

    monkeypatch.setattr("models.inputs.sources.Sources.cache", decode)
    with pytest.raises(KeyboardInterrupt):
        run_jobs([tiny_job(workspace)])
    assert worked == [["tiny"], ["tiny"], "all of the above"]
    assert not list(workspace.runs.glob("*"))


@pytest.mark.parametrize(
    ("words", "plain"),
    [
        ("fold --model tiny --fold 1", "fold --fold 1 --model tiny"),
        ("train --models tiny", "train --models tiny"),
        ("features --models tiny", "features --models tiny"),
    ],
)
def test_every_verb_refuses_other_values_with_commands_that_work(trained, words, plain):
    here = ["--workspace", str(trained.root)]
    done = CliRunner().invoke(main, [*words.split(), "--epochs", "9", "--dense", "none", *here])
    assert done.exit_code == 2
    assert done.output.startswith("Error: Model 'tiny' was begun with dense 8 (received none), epochs 2 (received 9). ")
    assert done.output.count("\n") == 1
    assert re.findall(r'"python run\.py (.*?)"', done.output) == [
        f"{command} {' '.join(here)}"
        for command in (
            plain,
            f"{plain} --name tiny-2 --dense none --epochs 9",
            "train --models tiny --dense none --epochs 9 --restart",
        )
    ]
    other = {"epochs": 9, "dense": ()}
    wanted = tiny_recipe(**other)
    assert recipe_of(trained, ModelRequest("tiny")) == tiny_recipe()
    assert recipe_of(trained, ModelRequest("tiny", "tiny-2", other)) == wanted
    assert recipe_of(trained, ModelRequest("tiny", overrides=other), range(K)) == wanted


def test_values_of_another_recipe_are_named_as_flags_to_begin_again(trained):
    with pytest.raises(UserError) as caught:
        recipe_of(trained, ModelRequest("residual", "tiny"))
    line = str(caught.value)
    assert '"python run.py train --models residual --name tiny-2"' in line
    flags = line.split('"python run.py train --models tiny --backbone ')[1]
    assert flags.startswith("residual ")
    assert flags.endswith(' --restart".')


def test_a_variant_is_advised_with_all_that_tells_its_network_from_the_named_one(workspace, tmp_path):
    values = {"weights": str(tmp_path / "own.h5"), "input_size": 64}
    record_recipe(workspace, "densenet121", recipe_of(workspace, ModelRequest("densenet121", overrides=values)))
    asked = ModelRequest("densenet121", overrides={"input_size": 96}, verb="features --models")
    with pytest.raises(UserError) as caught:
        recipe_of(workspace, asked)
    advised = f"features --models densenet121 --name densenet121-2 --weights {tmp_path / 'own.h5'} --input-size 96"
    assert f'"python run.py {advised}"' in str(caught.value)
    variant = ModelRequest("densenet121", "densenet121-2", {**values, "input_size": 96})
    assert recipe_of(workspace, variant).weights == values["weights"]


# Joint recipes

PARTS = """
[one]
backbone = "VGG16"
[two]
backbone = "DenseNet121"
input_size = 96
levels = 3
[both]
base = "vgg16_levels"
backbone = ["one", "two"]
"""


@pytest.fixture
def joint(workspace, tmp_path):
    """A model begun with parts of the user's own file, what asks for it, and that file."""
    recipes = tmp_path / "recipes.toml"
    recipes.write_text(PARTS)

    def asked(source="both", name=None, **overrides):
        return recipe_of(workspace, ModelRequest(source, name, overrides, recipes))

    recipe = asked()
    record_recipe(workspace, "both", recipe)
    (workspace.runs / "both/fold0").mkdir()
    return asked, recipe, recipes


def test_a_later_change_of_a_parts_recipe_does_not_reach_a_joint_model(workspace, joint):
    asked, recipe, recipes = joint
    recipes.write_text(PARTS.replace("levels = 3", "levels = 2"))
    assert asked() == recipe == read_recipe(workspace, "both")
    assert asked(name="both") == recipe
    assert asked(backbone="one, two", weights="imagenet,imagenet") == recipe
    assert asked(name="new").parts[1].levels == 2
    recipes.write_text("")
    assert recipe_of(workspace, ModelRequest("both")) == recipe
    assert recipe_of(workspace, ModelRequest("both", "copy")) == recipe


def test_other_parts_are_refused_by_their_names_with_flags_that_work(workspace, joint):
    asked, recipe, recipes = joint
    recipes.write_text(PARTS + '[three]\nbackbone = "ResNet50"\n')
    with pytest.raises(UserError) as caught:
        asked(backbone="one,three", weights="imagenet,x.h5")
    line = str(caught.value)
    assert line.startswith(
        "Model 'both' was begun with backbone one,two (received one,three), weights imagenet,imagenet"
    )
    again = f"--backbone one,three --weights imagenet,x.h5 --recipes {recipes} --restart"
    assert f'"python run.py train --models both {again}"' in line
    assert "(()" not in line
    with pytest.raises(UserError, match="Each of one, two brings its own levels"):
        asked(levels=3)
    with pytest.raises(UserError) as caught:
        asked(backbone="ResNet50")
    assert "was begun with backbone one,two (received ResNet50), weights imagenet,imagenet" in str(caught.value)
    assert '"python run.py train --models both --backbone ResNet50 --weights imagenet ' in str(caught.value)
    alone = recipe_of(workspace, ModelRequest("both", overrides={"backbone": "ResNet50"}), [0])
    assert (alone.backbone, alone.weights, alone.parts, alone.dense) == ("ResNet50", "imagenet", (), recipe.dense)


def test_parts_that_another_process_began_with_otherwise_are_named(workspace, joint):
    _, _, recipes = joint
    recipes.write_text(PARTS.replace("levels = 3", "levels = 2"))
    other = recipe_of(workspace, ModelRequest("both", "other", {}, recipes))
    with pytest.raises(UserError, match=r"has begun 'both' with levels of two 3 \(received 2\)\. Give the same flags"):
        record_recipe(workspace, "both", other)


def test_what_is_damaged_begins_no_other_recipe(trained):
    (trained.runs / "tiny/fold1/history.json").write_text("{")
    assert recipe_of(trained, ModelRequest("tiny"), range(K)) == tiny_recipe()
    (trained.runs / "tiny" / RECIPE).write_text("{")
    assert recipe_of(trained, ModelRequest("tiny"), range(K)) == tiny_recipe()
    (trained.runs / "tiny" / RECIPE).write_text("{")
    asked = ModelRequest("baseline", "tiny", {"epochs": 3})
    assert recipe_of(trained, asked, range(K)) == tiny_recipe(epochs=3)


def test_a_model_that_is_not_there_is_proposed_only_if_it_can_be_trained(trained):
    with pytest.raises(UserError, match=r"Unknown model 'tinny'\. Known: tiny\.$"):
        read_recipe(trained, "tinny")
    line = r"'resnet50' is not trained yet\. Run \"python run\.py train --models resnet50\"\.$"
    with pytest.raises(UserError, match=line):
        read_recipe(trained, "resnet50")


def test_a_weight_of_what_is_not_there_begins_no_model_and_damages_none(workspace):
    with pytest.raises(
        UserError, match=r"there are none; received 0\.3\. Give --pseudo with .*, or --pseudo-weight 1\.$"
    ):
        recipe_of(workspace, ModelRequest("baseline", overrides={"pseudo_weight": 0.3}))
    record_recipe(workspace, "before", tiny_recipe(pseudo_weight=0.3))
    assert read_recipe(workspace, "before").pseudo_weight == 0.3


def test_the_recipe_is_saved_with_the_run(trained):
    assert read_recipe(trained, "tiny") == tiny_recipe()
    assert json.loads((trained.runs / "tiny" / RECIPE).read_text())["dense"] == [8]


def test_a_begun_model_keeps_its_recipe(trained):
    assert recipe_of(trained, ModelRequest("tiny")) == tiny_recipe()
    assert recipe_of(trained, ModelRequest("tiny", overrides={"epochs": 2, "views": "flips"})) == tiny_recipe()
    assert recipe_of(trained, ModelRequest("baseline", "new", {"epochs": 7})).epochs == 7


def test_a_new_model_takes_the_competitions_first_rendering_unless_told(workspace):
    assert recipe_of(workspace, ModelRequest("baseline")).images == "jpg"
    assert recipe_of(workspace, ModelRequest("baseline", overrides={"images": "tif"})).images == "tif"


def test_another_recipe_for_a_begun_model_is_refused_with_what_changed(trained):
    with pytest.raises(UserError) as caught:
        recipe_of(trained, ModelRequest("tiny", overrides={"epochs": 9, "dense": (4,), "views": "flips"}))
    line = str(caught.value)
    assert "epochs 2 (received 9)" in line
    assert "dense 8 (received 4)" in line
    assert "views flips (" not in line
    assert "\n" not in line
    with pytest.raises(UserError, match=r"begun with backbone two_convolutions \(received residual\)"):
        recipe_of(trained, ModelRequest("residual", "tiny"))


def test_an_unknown_recipe_is_refused_and_so_is_a_damaged_one(trained):
    with pytest.raises(UserError, match=r"Unknown recipe 'none'\. Known: baseline"):
        recipe_of(trained, ModelRequest("none"))
    with pytest.raises(UserError, match=r"Unknown model 'none'\. Known: tiny\."):
        read_recipe(trained, "none")
    for path in [trained.runs / "tiny" / RECIPE, *trained.runs.glob(f"tiny/fold*/{JOB}")]:
        path.write_text("{")
    with pytest.raises(UserError, match=r"recipe\.json is damaged.*Restore it from a copy"):
        recipe_of(trained, ModelRequest("tiny"))


def test_a_recipe_that_another_process_began_meanwhile_is_refused(trained):
    shutil.rmtree(trained.runs / "tiny/fold0")
    with pytest.raises(UserError, match=r"has begun 'tiny' with seed 0 \(received 5\)\..* another --name"):
        run_jobs([tiny_job(trained, seed=5)])
    assert store_of(trained).folds_of("tiny") == [1, 2]
    assert not (trained.runs / "tiny/fold0").exists()


def test_beginning_again_keeps_the_recipe_and_removes_nothing_before_it_is_known_to_work(trained):
    before = content_of(trained.runs)
    every = range(K)
    with pytest.raises(UserError, match="epochs must be above 0"):
        recipe_of(trained, ModelRequest("tiny", overrides={"epochs": 0}), every)
    assert recipe_of(trained, ModelRequest("tiny"), every) == read_recipe(trained, "tiny")
    assert recipe_of(trained, ModelRequest("tiny", overrides={"epochs": 9}), every).epochs == 9
    with pytest.raises(UserError, match=r"begun with epochs \d+ \(received 9\)"):
        recipe_of(trained, ModelRequest("tiny", overrides={"epochs": 9}), [0])
    assert content_of(trained.runs) == before


def test_a_model_cannot_take_the_name_of_a_blend(workspace):
    (workspace.blends / "first").mkdir(parents=True)
    with pytest.raises(UserError, match="'first' is a blend"):
        recipe_of(workspace, ModelRequest("baseline", "first"))


# Weights of chips


def test_a_model_keeps_the_digest_of_the_weights_that_it_was_begun_with(workspace):
    weighted = {"weighted_to": "test"}
    with pytest.raises(UserError, match=r"No weights of the labelled chips yet.*adversarial MODEL"):
        recipe_of(workspace, ModelRequest("baseline", overrides=weighted))
    count = len(workspace.labelled.image_names)
    first = samples.write_chip_weights(workspace, np.linspace(0.5, 1.5, count)).digest
    recipe = recipe_of(workspace, ModelRequest("baseline", overrides=weighted))
    assert (recipe.weighted_to, recipe.weighted_digest) == ("test", first)
    record_recipe(workspace, "baseline", recipe)
    (workspace.runs / "baseline/fold0").mkdir()
    later = samples.write_chip_weights(workspace, np.linspace(1.5, 0.5, count)).digest
    for request in (ModelRequest("baseline"), ModelRequest("baseline", overrides=weighted)):
        assert recipe_of(workspace, request).weighted_digest == first  # what trains refuses these
    assert recipe_of(workspace, ModelRequest("baseline", overrides=weighted), [0]).weighted_digest == later
    assert recipe_of(workspace, ModelRequest("baseline", "variant", weighted)).weighted_digest == later
    with pytest.raises(UserError) as caught:
        recipe_of(workspace, ModelRequest("baseline", overrides={"weighted_to": "none"}))
    line = str(caught.value)
    assert line.startswith("Model 'baseline' was begun with weighted_to test (received none). ")
    assert "train --models baseline --weighted-to none --restart" in line
    assert not recipe_of(workspace, ModelRequest("baseline", overrides={"weighted_to": "none"}), [0]).weighted_digest


def test_a_recipe_file_may_ask_for_weights_and_not_say_which(workspace, tmp_path):
    recipes = tmp_path / "recipes.toml"
    recipes.write_text('[mine]\nbase = "baseline"\nweighted_to = "test"\n')
    digest = samples.write_chip_weights(workspace, np.ones(len(workspace.labelled.image_names))).digest
    assert recipe_of(workspace, ModelRequest("mine", recipes=recipes)).weighted_digest == digest
    recipes.write_text('[mine]\nbase = "baseline"\nweighted_digest = "1"\n')
    with pytest.raises(UserError, match="Unknown value of recipe 'mine' 'weighted_digest'"):
        recipe_of(workspace, ModelRequest("mine", recipes=recipes))
