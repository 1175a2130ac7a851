"""Chips are found by their names: of any suffix and case, in folders, and in a file per band."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from competition.common.errors import UserError
from competition.index.chip_index import Naming, index_chips, shown_file
from competition.spec.images import ImageSet
from tests.competition.samples import forbid


def images_of(**values: object) -> ImageSet:
    return ImageSet.model_validate({"suffix": [".png", ".jpeg"], "bands": "RGB", "train": "train", **values})


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    return folder


def ids_in(folder: Path, ids: str = "stem", **values: object) -> list[str]:
    return list(index_chips([folder], Naming(images_of(**values), ids)).chips)


def test_several_suffixes_are_taken_in_either_case(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", "b.PNG", "c.Jpeg", "d.jpg", "._e.png", "notes.txt", "1.2.840.5.png")
    assert ids_in(tmp_path) == ["1.2.840.5", "a", "b", "c"]
    assert ids_in(tmp_path, "name") == ["1.2.840.5.png", "a.png", "b.PNG", "c.Jpeg"]


def test_paths_are_ids_of_chips_in_folders_within(tmp_path: Path) -> None:
    touch(tmp_path, "x.png", "2020/a.png", "2020/north/b.jpeg", ".hidden/c.png", "__MACOSX/d.png")
    assert ids_in(tmp_path, "path") == ["2020/a.png", "2020/north/b.jpeg", "x.png"]
    assert ids_in(tmp_path, "path_stem") == ["2020/a", "2020/north/b", "x"]
    # Otherwise they are searched where no chip lies in the folder itself.
    assert ids_in(tmp_path) == ["x"]
    (tmp_path / "x.png").unlink()
    assert ids_in(tmp_path) == ["a", "b"]


@pytest.mark.parametrize(
    ("file", "ids", "names"),
    [
        ("{id}_{band}", "stem", ["a_1_{}.png", "b_{}.png"]),
        ("{id}_{band}", "stem", ["tile/a_1_{}.png", "tile/x/b_{}.png"]),
        ("{id}_{band}", "name", ["a_1_{}.png", "b_{}.png"]),
        ("{id}/{id}_{band}", "stem", ["a_1/a_1_{}.png", "tile/b/b_{}.png"]),
        ("{id}/{band}", "path_stem", ["a_1/{}.png", "tile/b/{}.png"]),
        ("{band}/{id}", "stem", ["{}/a_1.png", "{}/b.png"]),
    ],
)
def test_a_chip_has_a_file_for_each_band(tmp_path: Path, file: str, ids: str, names: list[str]) -> None:
    bands = ["B8A", "B8", "red"]
    folder = touch(tmp_path, *(name.format(band) for name in names for band in bands))
    naming = Naming(images_of(file=file, bands=bands), ids)  # type: ignore[arg-type]
    index = index_chips([folder], naming)
    assert not index.lacking
    for files, name in zip(index.chips.values(), names, strict=True):
        assert files == tuple(folder / name.format(band) for band in bands)
        assert shown_file(files) == folder / name.format("B8A")
    (folder / names[0].format("B8")).unlink()
    index = index_chips([folder], naming)
    assert (len(index.chips), list(index.lacking.values())) == (1, [("B8",)])


def test_bands_that_are_not_named_and_files_called_otherwise_are_passed_over(tmp_path: Path) -> None:
    touch(tmp_path, "a_red.png", "a_green.png", "a_mask.png", "b/c_red.png", "b/b_red.png", "b/b_green.png")
    assert ids_in(tmp_path, file="{id}_{band}", bands=["red", "green"]) == ["a"]
    assert ids_in(tmp_path, file="{id}/{id}_{band}", bands=["red", "green"]) == ["b"]


def test_two_files_of_one_chip_are_refused(tmp_path: Path) -> None:
    one, other = touch(tmp_path / "1", "a.png"), touch(tmp_path / "2", "a.jpeg")
    with pytest.raises(UserError, match=r"Two files carry the id a: .*1/a\.png and .*2/a\.jpeg\. Remove one\."):
        index_chips([one, other], Naming(images_of()))
    assert len(index_chips([one, other], Naming(images_of(), "name")).chips) == 2


def test_a_file_has_the_id_of_its_right_name(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", "b.png", "c.png")
    right = {"a.png": "b.png", "b.png": "a"}  # some tables leave the suffix out
    found = index_chips([tmp_path], Naming(images_of()), right).chips
    assert {name: shown_file(file).name for name, file in found.items()} == {"a": "b.png", "b": "a.png", "c": "c.png"}


def test_an_id_names_a_file_whose_suffix_is_in_another_case(tmp_path: Path) -> None:
    touch(tmp_path, "a.PNG", "b.png", "c.png", "c.PNG", "A.Png", "d.Jpeg")
    ids = ["a.png", "b.PNG", "c.png", "d.jpeg", "e.png"]
    found = index_chips([tmp_path], Naming(images_of(), "name"), ids=ids).chips
    assert {name: shown_file(file).name for name, file in found.items()} == {
        "A.Png": "A.Png", "a.png": "a.PNG", "b.PNG": "b.png", "c.PNG": "c.PNG", "c.png": "c.png", "d.jpeg": "d.Jpeg",
    }  # fmt: skip
    # What follows the last point of an id without suffix is none.
    touch(tmp_path / "stems", "1.A.png")
    assert list(index_chips([tmp_path / "stems"], Naming(images_of()), ids=["1.a"]).chips) == ["1.A"]


def test_a_folder_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "train/a.png", "train/x/b.png")
    with monkeypatch.context() as patch:
        forbid(patch, tmp_path / "train")
        with pytest.raises(UserError, match=r"Cannot read the folder .*train: Permission denied\. "):
            ids_in(tmp_path / "train")
    with pytest.raises(UserError, match=r"Cannot read the folder .*gone: No such file"):
        ids_in(tmp_path / "gone")
    forbid(monkeypatch, tmp_path / "train" / "x")
    assert ids_in(tmp_path / "train", "path") == ["a.png"]


def test_links_lead_to_chips_and_not_in_circles(tmp_path: Path) -> None:
    touch(tmp_path, "train/x/a.png", "elsewhere/b.png")
    (tmp_path / "train" / "more").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "train" / "x" / "up").symlink_to(tmp_path / "train")
    (tmp_path / "train" / "c.png").symlink_to(tmp_path / "train" / "c.png")  # to itself
    assert ids_in(tmp_path / "train", "path") == ["more/b.png", "x/a.png"]


words = st.text("ab_.-1", min_size=1, max_size=6).filter(lambda text: text.strip(".") == text)


@given(st.sampled_from(["{id}", "{id}_{band}", "{id}/{band}", "x-{id}", "{band}.{id}"]), words, st.sampled_from("RGB"))
def test_what_is_written_by_a_pattern_is_read_by_it(file: str, name: str, band: str) -> None:
    naming = Naming(images_of(file=file))
    found = naming.read(file.format(id=name, band=band) + ".png")
    assert found == (name, "RGB".index(band) if "{band}" in file else 0)
