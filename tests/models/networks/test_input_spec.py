"""What networks are given: bands in the order asked for, and the values that stand for black and white."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest

from competition.common.errors import UserError
from models.networks.input_spec import Inputs, columns_of
from tests.models.samples import PLANET, inputs_of, tiny_recipe

JPG, TIF = PLANET.image_set("jpg"), PLANET.image_set("tif")


def test_bands_are_found_in_the_order_asked_for():
    assert columns_of(tiny_recipe(images="tif", bands="RGB"), TIF) == (2, 1, 0)
    assert columns_of(tiny_recipe(images="tif", bands="NR"), TIF) == (3, 2)


@pytest.mark.parametrize("bands", ["RGBN", ""])
def test_bands_that_the_chips_lack_are_refused(bands):
    with pytest.raises(UserError, match=f"asks for bands '{bands}'; the .jpg chips have 'RGB'. Give --bands"):
        columns_of(tiny_recipe(bands=bands), JPG)


def test_bands_without_a_range_span_their_data_type():
    images = TIF.model_copy(update={"range": {"N": (100.0, 200.0)}})
    inputs = Inputs.of(tiny_recipe(images="tif", bands="RN"), images, np.dtype(np.uint16), 16)
    assert (inputs.low, inputs.high) == ((0.0, 100.0), (65535.0, 200.0))


def test_inputs_come_back_from_json_as_they_were():
    inputs = inputs_of(tiny_recipe(images="tif", bands="RGBN"))
    assert Inputs.from_dict(json.loads(json.dumps(asdict(inputs)))) == inputs
