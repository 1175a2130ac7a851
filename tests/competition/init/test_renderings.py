from __future__ import annotations

from pathlib import Path

from tests.competition.init.folders import begun, pictures, table, tagged

TAGS = ["a c", "c", "a", "b", "b a", "d"]


def test_chips_without_a_file_are_a_question(tmp_path: Path) -> None:
    table(tmp_path / "in" / "t.csv", ["id", "labels"], [(f"x{i}", TAGS[i % 6]) for i in range(12)])
    pictures(tmp_path / "in" / "train", [f"x{i}.png" for i in range(10)])
    _, found = begun(tmp_path / "in", tmp_path)
    assert any("the 2 of 12 labelled chips" in question for question in found.questions)


def test_renderings_are_called_by_their_suffix_or_else_by_their_folder(tmp_path: Path) -> None:
    folder = tagged(tmp_path / "in", {f"x{i}": TAGS[i % 6] for i in range(12)})
    pictures(folder / "deep (16 bit)", [f"x{i}.png" for i in range(12)])
    assert set(begun(folder, tmp_path)[0].images) == {"jpg", "png"}
    pictures(folder / "more", [f"x{i}.png" for i in range(12)])
    assert set(begun(folder, tmp_path)[0].images) == {"jpg", "deep-16-bit", "more"}


def test_a_table_of_right_names_goes_with_the_files_that_it_names(tmp_path: Path) -> None:
    folder = tagged(tmp_path / "in", {f"x{i}": TAGS[i % 6] for i in range(12)})
    pictures(folder / "png", [f"x{i}.png" for i in range(12)])
    table(folder / "names.csv", ["old", "new"], [(f"x{i}.png", f"x{11 - i}.png") for i in range(12)])
    got, _ = begun(folder, tmp_path)
    assert {name: images.renamed for name, images in got.images.items()} == {"jpg": None, "png": "names.csv"}
