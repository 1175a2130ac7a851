from __future__ import annotations

import shutil
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from competition.checks.check import check_data
from competition.checks.pixels import compare_renderings, scan_chips, spread
from competition.checks.report import CheckReport
from competition.common.errors import UserError
from competition.data.prepare import prepare
from competition.spec import ImageSet
from competition.workspace import Workspace
from tests.competition.samples import other, pixels, planet, planet_workspace, write_chip, write_csv, write_planet

JPG = planet().image_set("jpg")
MAPPING = "test_v2_file_mapping.csv"


def check(source: Path, sample: int | None = None) -> CheckReport:
    workspace = planet_workspace(source.parent / "workspace")
    prepare(workspace, source, progress=False)
    return check_data(workspace, progress=False, sample=sample)


def texts(report: CheckReport, severity: str) -> list[str]:
    return [finding.text for finding in report.findings if finding.severity == severity]


def write_train(source: Path, *lines: str) -> None:
    names = ("image_name,tags", *lines)
    (source / "train_v2.csv").write_text("".join(f"{line}\n" for line in names), encoding="utf-8")


def write_tiff(path: Path, picture: np.ndarray, order: str = "BGRN") -> None:
    """Write a picture as a 16-bit TIFF, its bands in `order`; near infrared is another picture."""
    bands = dict(zip("RGB", np.moveaxis(picture, -1, 0), strict=True)) | {"N": pixels(5000, len(picture))[:, :, 0]}
    write_chip(path, np.stack([bands[letter].astype(np.uint16) * 40 + 300 for letter in order], axis=-1))


def write_tiffs(source: Path, split: str, order: str = "BGRN") -> None:
    for folder in source.glob(f"{split}-jpg*"):
        for path in folder.iterdir():
            with Image.open(path) as picture:
                write_tiff(source / f"{split}-tif-v2" / f"{path.stem}.tif", np.asarray(picture), order)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_planet(tmp_path / "source", train=12)


def test_whole_data_are_ready(source: Path) -> None:
    report = check(source)
    assert report.ok
    assert not texts(report, "error")
    counts = [(c.rendering, c.split, c.files, c.listed, c.decoded, c.kinds) for c in report.chips]
    assert counts == [
        ("jpg", "train", 12, 12, 12, ("16 x 16 x 3 uint8",)),
        ("jpg", "test", 7, 7, 7, ("16 x 16 x 3 uint8",)),
    ]
    assert report.support["primary"] == 9
    assert report.num_labelled == 12


def test_the_text_ends_with_the_verdict_and_lists_the_rarest_label_first(source: Path) -> None:
    text = check(source).text()
    lines = text.splitlines()
    assert lines[-1] == "Ready: 0 errors, 1 warning, 0 notes."
    shares = [float(line.split()[-1][:-1]) for line in lines if line.endswith("%")]
    assert len(shares) == 17
    assert shares == sorted(shares)
    assert "primary                  9   75.00%" in text
    (source / "train-jpg" / "train_0.jpg").unlink()
    last = check(source).text().splitlines()[-1]
    assert last == "Not ready: 1 error, 1 warning, 0 notes. Errors spoil training or a submission."


def test_findings_come_in_the_order_of_their_weight(source: Path) -> None:
    (source / "train-jpg" / "train_0.jpg").unlink()
    (source / "sample_submission_v2.csv").unlink()
    assert [finding.severity for finding in check(source).findings] == ["error", "warning", "note"]


def test_a_workspace_without_data_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r'No data in the workspace .*Run "python'):
        check_data(planet_workspace(tmp_path))


def test_ids_without_a_file_and_files_without_an_id_are_named(source: Path) -> None:
    (source / "train-jpg" / "train_3.jpg").rename(source / "train-jpg" / "train_99.jpg")
    (source / "test-jpg" / "test_1.jpg").rename(source / "test-jpg" / "test_99.jpg")
    report = check(source)
    assert texts(report, "error") == [
        "train_v2.csv: ids without a jpg train file (1): train_3.",
        "sample_submission_v2.csv: ids without a jpg test file (1): test_1.",
    ]
    assert texts(report, "warning")[-2:] == [
        "train_v2.csv: jpg train files that are not in it and not used (1): train_99.",
        "sample_submission_v2.csv: jpg test files that are not in it and not used (1): test_99.",
    ]


def test_repeated_ids_are_errors(source: Path) -> None:
    for name in ("train_v2.csv", "sample_submission_v2.csv"):
        lines = (source / name).read_text(encoding="utf-8").splitlines()
        (source / name).write_text("\n".join([*lines, lines[1]]), encoding="utf-8")
    assert texts(check(source), "error") == [
        "train_v2.csv: repeated ids (1): train_0.",
        "sample_submission_v2.csv: repeated ids (1): test_0.",
    ]


def test_rules_of_the_labels_are_checked(source: Path) -> None:
    tags = ["primary", "clear haze", "cloudy water", "clear clear", "clear sunny", "haze sunny wet", "", "cloudy"]
    write_train(source, *(f"train_{i},{text}" for i, text in enumerate([*tags, *["clear"] * 4])))
    report = check(source)
    group = "clear, partly_cloudy, haze, cloudy"
    assert texts(report, "error") == [
        "train_v2.csv: chips with unknown tags sunny (2x), wet (1x) (2): train_4, train_5."
    ]
    assert texts(report, "warning")[:3] == [
        f"train_v2.csv: chips with none of {group} (2): train_0, train_6.",
        f"train_v2.csv: chips with several of {group} (1): train_1.",
        "train_v2.csv: chips with cloudy and other labels (1): train_2.",
    ]
    assert texts(report, "note") == [
        "train_v2.csv: chips that repeat a tag, which changes nothing (1): train_3.",
    ]
    assert report.support["clear"] == 1 + 1 + 1 + 4


def test_labels_that_no_chip_carries_are_named(source: Path) -> None:
    (warning,) = texts(check(source), "warning")
    assert "no chip carries agriculture, artisinal_mine, bare_ground, blooming, blow_down and 5 more; that" in warning


def test_label_columns_are_checked(tmp_path: Path) -> None:
    rows = {"a": "1,0,1", "b": "0,2,0", "c": "0,,0"}
    write_csv(tmp_path / "source" / "labels.csv", "id,sand,rock,kelp", rows)
    for i, name in enumerate(rows):
        write_chip(tmp_path / "source" / "dives" / f"{name}.png", pixels(i))
    workspace = Workspace(tmp_path / "workspace", other(tmp_path))
    prepare(workspace, tmp_path / "source", progress=False)
    report = check_data(workspace, progress=False)
    assert texts(report, "error") == ["labels.csv: chips with label cells other than 0 and 1 (2): b, c."]
    assert "No png test chips: dives-to-label not found." in texts(report, "warning")


def test_an_unreadable_table_does_not_stop_the_check(source: Path) -> None:
    (source / "train_v2.csv").write_text("image_name,labels\na,clear\n", encoding="utf-8")
    report = check(source)
    assert "train_v2.csv lacks columns ['tags']" in texts(report, "error")[0]
    assert [count.listed for count in report.chips] == [None, 7]
    assert report.text()


def test_chips_that_cannot_be_used_are_counted_by_reason(source: Path) -> None:
    folder = source / "train-jpg"
    for i in (2, 5):
        write_chip(folder / f"train_{i}.jpg", np.zeros((16, 16, 3), dtype=np.uint8))
    (folder / "train_7.jpg").write_bytes(b"404: not found")
    (folder / "train_8.jpg").write_bytes((folder / "train_8.jpg").read_bytes()[:-40])
    write_chip(folder / "train_9.jpg", np.full((16, 16, 3), 128, dtype=np.uint8))
    report = check(source)
    errors = texts(report, "error")
    assert errors[0] == "jpg train: broken chips, every pixel is 0 (2): train_2, train_5."
    assert "jpg train: broken chips, not an image file (1): train_7." in errors
    assert any(text.endswith("(1): train_8.") for text in errors)
    assert len(errors) == 3
    assert "jpg train: chips of one colour all over (1): train_9." in texts(report, "warning")


def test_many_reasons_stay_few_lines(source: Path) -> None:
    for i in range(9):
        write_chip(source / "train-tif-v2" / f"train_{i}.tif", pixels(i, bands=6 + i))
    broken = [text for text in texts(check(source), "error") if text.startswith("tif train")]
    assert len(broken) == 5
    assert broken[-1].startswith("tif train: chips broken in other ways (5): ")


def test_chips_of_several_shapes_are_listed(source: Path) -> None:
    write_chip(source / "train-jpg" / "train_1.jpg", pixels(1, size=24))
    report = check(source)
    assert texts(report, "note") == ["jpg train: kinds of chips (2): 16 x 16 x 3 uint8 (11), 24 x 24 x 3 uint8 (1)."]
    assert report.chips[0].kinds == ("16 x 16 x 3 uint8", "24 x 24 x 3 uint8")


def test_8_beside_16_bits_is_a_warning(source: Path) -> None:
    write_tiffs(source, "train")
    write_chip(source / "train-tif-v2" / "train_1.tif", pixels(1, bands=4))
    assert any("kinds of chips (2): 16 x 16 x 4 uint16 (11)" in text for text in texts(check(source), "warning"))


def test_a_sample_decodes_fewer_chips(source: Path) -> None:
    report = check(source, sample=5)
    assert [(count.files, count.decoded) for count in report.chips] == [(12, 5), (7, 5)]


def test_another_rendering_may_be_incomplete(source: Path) -> None:
    write_tiffs(source, "train")
    (source / "train-tif-v2" / "train_0.tif").unlink()
    report = check(source)
    assert report.ok
    assert "train_v2.csv: ids without a tif train file (1): train_0." in texts(report, "warning")


def test_the_declared_band_order_is_confirmed(source: Path) -> None:
    write_tiffs(source, "train")
    notes = texts(check(source), "note")
    assert any("tif train: band order BGRN has r = 1.000 with jpg over 12 chips; no other" in text for text in notes)


@pytest.mark.parametrize("order", ["RGBN", "NRGB", "GNBR"])
def test_another_band_order_is_found(source: Path, order: str) -> None:
    write_tiffs(source, "train", order)
    warnings = texts(check(source), "warning")
    assert any(f"but {order} has r = 1.000. See `bands`" in text for text in warnings), warnings


def test_a_chip_of_another_scene_is_named(source: Path) -> None:
    write_tiffs(source, "train")
    write_tiff(source / "train-tif-v2" / "train_5.tif", pixels(777))
    report = check(source)
    expected = "tif train: of 12 chips compared, those that show another scene than their jpg (1): train_5."
    assert expected in texts(report, "warning")
    assert report.ok
    assert any("over 11 chips" in text for text in texts(report, "note"))


def write_misnamed_tiffs(source: Path, files: int = 6) -> dict[str, str]:
    """Write the test TIFFs with the names of the file_* rotated by one, and return what the mapping should say."""
    write_tiffs(source, "test")
    folder = source / "test-tif-v2"
    pictures = [(folder / f"file_{i}.tif").read_bytes() for i in range(files)]
    for i, picture in enumerate(pictures):
        (folder / f"file_{(i + 1) % files}.tif").write_bytes(picture)
    return {f"file_{(i + 1) % files}.tif": f"file_{i}.tif" for i in range(files)}


def test_misnamed_tiffs_agree_with_their_jpegs_once_renamed(tmp_path: Path) -> None:
    source = write_planet(tmp_path / "source", additional=6)
    write_csv(source / MAPPING, "old,new", write_misnamed_tiffs(source))
    report = check(source)
    assert report.ok, report.text()
    assert f"{MAPPING} renames 6 chips; it is a permutation." in texts(report, "note")
    assert any(
        "tif test: band order BGRN has r = 1.000 with jpg over 10 chips" in text for text in texts(report, "note")
    )


def test_a_mapping_that_is_read_the_wrong_way_round_is_noticed(tmp_path: Path) -> None:
    source = write_planet(tmp_path / "source", additional=6)
    write_csv(source / MAPPING, "new,old", write_misnamed_tiffs(source))
    errors = texts(check(source), "error")
    assert len(errors) == 1
    assert errors[0].startswith("tif test: of 10 chips compared, those that show another scene than their jpg")
    assert "names must be mixed up" in errors[0]


def test_a_missing_mapping_is_an_error_where_there_are_tiffs(tmp_path: Path) -> None:
    source = write_planet(tmp_path / "source", additional=6)
    assert not any(MAPPING in finding.text for finding in check(source).findings)
    write_misnamed_tiffs(source)
    assert any(text.startswith(f"{MAPPING} is not in the workspace") for text in texts(check(source), "error"))


def test_a_mapping_must_give_every_file_a_name_of_its_own(tmp_path: Path) -> None:
    source = write_planet(tmp_path / "source")
    rows = ["file_0.tif,file_1.tif", "file_1.tif,file_1.tif", "file_2,file_2.tif", "file_2,strange.tif"]
    (source / MAPPING).write_text("\n".join(["old,new", *rows]), encoding="utf-8")
    report = check(source)
    assert texts(report, "error") == [
        f"{MAPPING}, column old: repeated ids (1): file_2.",
        f"{MAPPING}, column new: repeated ids (1): file_1.tif.",
        f"{MAPPING}: names that do not end in .tif (2): file_2, file_2.",
        f"{MAPPING}: new names that are not in the sample submission (1): strange.tif.",
    ]
    assert any("not a permutation" in text for text in texts(report, "note"))


def test_names_that_the_mapping_makes_equal_are_an_error(tmp_path: Path) -> None:
    source = write_planet(tmp_path / "source")
    write_tiffs(source, "test")
    write_csv(source / MAPPING, "old,new", {"file_0.tif": "file_1.tif"})
    assert any("Two files carry the id file_1" in text for text in texts(check(source), "error"))


def test_memory_does_not_grow_with_the_number_of_chips(tmp_path: Path) -> None:
    picture = tmp_path / "chip.jpg"
    write_chip(picture, pixels(0, size=256))

    def peak(count: int) -> int:
        files = {f"train_{i}": picture for i in range(count)}
        tracemalloc.start()
        scan = scan_chips(files, JPG, progress=False)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert scan.decoded == count
        return most

    few, many = peak(20), peak(200)
    assert many < few + 100 * picture_bytes(), f"{few} and {many} bytes"


def picture_bytes() -> int:
    return 256 * 256 * 3


def test_renderings_that_share_no_colours_are_not_compared() -> None:
    infrared = ImageSet(suffix=".tif", bands="NS", train=("a",), test=("b",))
    assert compare_renderings({}, infrared, {}, JPG) is None
    assert compare_renderings({}, planet().image_set("tif"), {}, JPG) is None


def test_a_sample_is_spread_over_the_names() -> None:
    names = [str(i) for i in range(10)]
    assert spread(names, 3) == ["0", "4", "9"]
    assert spread(names, None) == spread(names, 10) == spread(names, 99) == names
    assert spread(names, 1) == ["0"]


def test_a_sample_submission_without_test_chips_is_an_error(tmp_path: Path) -> None:
    source = write_planet(tmp_path / "source")
    shutil.rmtree(source / "test-jpg")
    shutil.rmtree(source / "test-jpg-additional")
    assert any(text.startswith("No jpg test chips") for text in texts(check(source), "error"))


def test_a_table_without_rows_is_an_error(tmp_path: Path) -> None:
    source = write_planet(tmp_path / "source")
    (source / "train_v2.csv").write_text("image_name,tags\n", encoding="utf-8")
    assert "train_v2.csv lists no labelled chips." in texts(check(source), "error")
