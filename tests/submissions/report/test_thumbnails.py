"""Chips as small pictures."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image

from submissions.evidence.chips import worst_chips
from submissions.evidence.labels import labels_of
from submissions.report.thumbnails import draw


def test_chips_of_four_bands_are_shown_in_two_ways(evidence):
    (chip, *_) = draw(evidence, worst_chips(evidence, labels_of(evidence))[:1])
    assert set(chip.pictures) == {"natural", "near infrared"}
    pixels = []
    for url in chip.pictures.values():
        with Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))) as picture:
            assert (picture.format, picture.size) == ("WEBP", (160, 160))
            pixels.append(np.asarray(picture.convert("RGB"), float))
    assert np.abs(pixels[0] - pixels[1]).mean() > 5
