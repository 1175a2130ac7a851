"""Chips as small pictures."""

from __future__ import annotations

import base64
import io
from dataclasses import replace

import numpy as np
from PIL import Image

from submissions.evidence.chips import Look, worst_chips
from submissions.evidence.labels import labels_of
from submissions.report import thumbnails
from submissions.report.thumbnails import FULL, draw, overlay


def test_chips_of_four_bands_are_shown_in_two_ways(evidence):
    (chip, *_) = draw(evidence, worst_chips(evidence, labels_of(evidence))[:1])
    assert set(chip.pictures) == {"natural", "near infrared"}
    pixels = []
    for url in chip.pictures.values():
        with Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))) as picture:
            assert (picture.format, picture.size) == ("WEBP", (160, 160))
            pixels.append(np.asarray(picture.convert("RGB"), float))
    assert np.abs(pixels[0] - pixels[1]).mean() > 5


def test_colours_are_those_of_one_scale_and_the_place_is_outlined_if_it_matters():
    chip = np.full((160, 160, 3), 128, dtype=np.uint8)
    falls = np.zeros((16, 16))
    falls[:4, :4], falls[12:, 12:] = FULL, -FULL / 2
    look = Look("road", falls, (0.0, 0.0, 0.25, 0.25), 0.9, 0.5, matters=False)
    seen = overlay(chip, look).astype(int)
    red_over_blue = seen[:, :, 0] - seen[:, :, 2]
    assert red_over_blue[20, 20] > 100, "what speaks for the label"
    assert red_over_blue[20, 20] > -2 * red_over_blue[140, 140] > 100, "what speaks against it, half as much"
    assert red_over_blue[80, 80] == 0
    outlined = overlay(chip, replace(look, matters=True))
    changed = np.argwhere((outlined != seen).any(axis=2))
    assert (changed.min(), changed.max()) == (0, 40)
    assert (outlined[20, 20] == seen[20, 20]).all()


def test_chips_without_blue_have_overlays_too(evidence, monkeypatch):
    monkeypatch.setattr(thumbnails, "_read", lambda *_: {"near infrared": np.zeros((160, 160, 3), np.uint8)})
    chips = worst_chips(evidence, labels_of(evidence))[:1]
    chips[0].looks = [Look("road", np.zeros((16, 16)), (0.0, 0.0, 0.25, 0.25), 0.9, 0.5, matters=True)]
    (chip,) = draw(evidence, chips)
    assert (list(chip.pictures), len(chip.overlays)) == (["near infrared"], 1)
