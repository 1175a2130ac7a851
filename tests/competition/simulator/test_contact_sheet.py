"""The picture with a chip of every label."""

from __future__ import annotations

from PIL import Image

from competition.simulator.contact_sheet import contact_sheet


def test_contact_sheet_is_one_small_jpeg(tmp_path):
    contact_sheet(tmp_path / "sheet.jpg", size=64)
    with Image.open(tmp_path / "sheet.jpg") as image:
        assert image.format == "JPEG"
        assert image.width > 6 * 64
        assert image.height > 3 * 64
