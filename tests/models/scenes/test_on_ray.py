"""Scored by the processes of a Ray cluster, a scene's raster has the bytes that one process writes."""

from dataclasses import replace

import pytest

from competition.common.errors import UserError
from models.scenes import predict_scene as module
from models.scenes.cutting import Asked
from models.scenes.on_ray import Elsewhere
from models.scenes.predict_scene import Wanted, predict_scene
from models.stream.deal import Cluster
from tests.models.samples import PLANET
from tests.models.scenes.samples import scene_in, stand_in
from tests.models.stream.samples import Here

WANTED = Wanted(dict.fromkeys(PLANET.labels, 0.2))


@pytest.fixture(autouse=True)
def _small_tiles(monkeypatch):
    monkeypatch.setattr(module, "batch_size_for", lambda size: 20)


def other():
    return replace(stand_in(), key={"model": "other"})


def test_many_score_what_one_does_also_after_all_were_lost(tmp_path, here: Here, lines):
    asked = Asked(str(scene_in(tmp_path)))
    one = predict_scene(stand_in(), asked, tmp_path / "one", WANTED)
    here.stop_after = 2
    elsewhere = Elsewhere(stand_in, Cluster())
    with pytest.raises(UserError, match="all machines are lost"):
        predict_scene(stand_in(), asked, tmp_path / "many", WANTED, elsewhere=elsewhere)
    here.stop_after = 100
    many = predict_scene(stand_in(), asked, tmp_path / "many", WANTED, elsewhere=elsewhere)
    assert len(here.dealt) == 5
    assert (tmp_path / "one/scores.tif").read_bytes() == (tmp_path / "many/scores.tif").read_bytes()
    assert (one.num_scored, many.num_windows - many.num_read) == (9 * 13, 3 * 13)


def test_other_networks_and_other_scenes_are_refused(tmp_path, here: Here):
    asked = Asked(str(scene_in(tmp_path)))
    with pytest.raises(UserError, match="expected the model that was asked for; its files differ"):
        predict_scene(stand_in(), asked, tmp_path / "out", WANTED, elsewhere=Elsewhere(other, Cluster()))

    def moved():
        scene_in(tmp_path, height=160)
        return stand_in()

    with pytest.raises(UserError, match=r"is another scene. Give --scene a file that all machines share"):
        predict_scene(stand_in(), asked, tmp_path / "out", WANTED, elsewhere=Elsewhere(moved, Cluster()))
