"""What networks are given: bands in the order asked for, and the values that stand for black and white."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest

from competition.common.errors import UserError
from competition.spec.images import ImageSet
from models.networks.input_spec import Inputs, as_colours, as_network_input, columns_of
from tests.models.samples import PLANET, inputs_of, tiny_recipe

JPG, TIF = PLANET.image_set("jpg"), PLANET.image_set("tif")


def test_bands_are_found_in_the_order_asked_for():
    assert columns_of(tiny_recipe(images="tif", bands="RGB"), TIF) == (2, 1, 0)
    assert columns_of(tiny_recipe(images="tif", bands="NR"), TIF) == (3, 2)


def test_the_network_is_given_the_bands_it_asked_for_in_its_order():
    chips = np.random.default_rng(0).integers(0, 60_000, (2, 4, 4, 4)).astype(np.uint16)
    given = as_network_input(chips, (2, 1, 0))
    assert given.dtype == np.float32
    np.testing.assert_array_equal(given, chips[..., [2, 1, 0]])
    same = as_network_input(chips.astype(np.uint8), (0, 1, 2, 3))
    assert (same.dtype, same.shape) == (np.uint8, (2, 4, 4, 4))


@pytest.mark.parametrize("bands", ["RGBN", ""])
def test_bands_that_the_chips_lack_are_refused(bands):
    line = f"asks for bands '{bands}'; the .jpg chips have 'RGB'. Give \"--bands RGB\", or"
    with pytest.raises(UserError, match=line):
        columns_of(tiny_recipe(bands=bands), JPG)


def test_bands_without_a_range_span_their_data_type():
    images = TIF.model_copy(update={"range": {"N": (100.0, 200.0)}})
    inputs = Inputs.of(tiny_recipe(images="tif", bands="RN"), images, np.dtype(np.uint16), 16)
    assert (inputs.low, inputs.high) == ((0.0, 100.0), (65535.0, 200.0))


def test_inputs_come_back_from_json_as_they_were():
    inputs = inputs_of(tiny_recipe(images="tif", bands="RGBN"))
    assert Inputs.from_dict(json.loads(json.dumps(asdict(inputs)))) == inputs


SENTINEL = ImageSet(suffix=".tif", bands=("B02", "B03", "B04", "B8A"), train=("train",), range={"B04": (0, 2000)})


def test_names_with_commas_are_bands():
    recipe = tiny_recipe(bands="B8A, B04")
    assert columns_of(recipe, SENTINEL) == (3, 2)
    inputs = Inputs.of(recipe, SENTINEL, np.dtype(np.int16), 16)
    assert inputs == Inputs(16, ("B8A", "B04"), (-32768.0, 0.0), (32767.0, 2000.0))
    assert Inputs.from_dict(json.loads(json.dumps(asdict(inputs)))) == inputs
    assert Inputs.of(recipe, SENTINEL, np.dtype(np.uint8), 16).high == (255.0, 255.0)
    assert tiny_recipe(bands="B8A,").band_names == ("B8A",)
    with pytest.raises(UserError, match="bands names a band twice: 'B04,B04'"):
        tiny_recipe(bands="B04,B04")


def test_letters_are_written_as_one_word_however_they_were_given():
    inputs = Inputs.of(tiny_recipe(images="tif", bands="R,N"), TIF, np.dtype(np.uint16), 16)
    assert inputs.bands == "RN"


@pytest.mark.parametrize("bands", ["RGB", "B04", "B04,B05"])
def test_bands_that_named_ones_are_not_are_refused_with_the_names_there_are(bands):
    line = f"asks for bands '{bands}'; the .tif chips have B02, B03, B04, B8A. Give \"--bands B02,B03,B04,B8A\", or"
    with pytest.raises(UserError, match=line):
        columns_of(tiny_recipe(bands=bands), SENTINEL)
    one = SENTINEL.model_copy(update={"bands": ("B04",)})
    with pytest.raises(UserError, match=r'Give "--bands B04,", or'):
        columns_of(tiny_recipe(bands="B05"), one)
    many = SENTINEL.model_copy(update={"bands": tuple(f"B{number}" for number in range(200))})
    with pytest.raises(UserError, match=r'have B0, B1, .* and 195 more\. Give "--bands B0,B1,B2", or'):
        columns_of(tiny_recipe(bands="RGB"), many)


def test_floats_need_a_range():
    recipe = tiny_recipe(bands="B04,B8A", images="tif")
    with pytest.raises(
        UserError, match=r"nothing says what those of band 'B8A' span\. Add B8A = \[low, high\] to range"
    ):
        Inputs.of(recipe, SENTINEL, np.dtype(np.float32), 16)
    with_range = SENTINEL.model_copy(update={"range": {"B04": (-25.0, 0.0), "B8A": (0.0, 1.0)}})
    assert Inputs.of(recipe, with_range, np.dtype(np.float32), 16).low == (-25.0, 0.0)


def test_bands_called_by_their_colour_are_those_of_the_letters():
    assert as_colours(("red", "Green", "yellow", "nir")) == ("R", "G", "yellow", "N")
    assert as_colours("RGB") == "RGB"
