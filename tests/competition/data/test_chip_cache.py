"""The cache of decoded chips: right pixels, decoded once, whatever interrupts it."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tifffile
from PIL import Image

from competition.common.errors import UserError
from competition.common.files import digest_json
from competition.data import chip_cache, decode
from competition.data.chip_cache import ChipCache, open_cache
from competition.data.chips import BrokenChipError, holds_turned, read_chip, resize_chip
from competition.index.contents import note_contents
from competition.spec.images import ImageSet
from competition.spec.load import load

PNG = ImageSet(suffix=".png", bands="RGB", train=("train",), test=("test",))
TIF = ImageSet(suffix=".tif", bands="RGB", train=("train",), test=("test",))


def pixels(number: int, size: int = 12, dtype=np.uint8) -> np.ndarray:
    return np.random.default_rng(number).integers(1, np.iinfo(dtype).max, (size, size, 3)).astype(dtype)


def write_chips(folder: Path, count: int, dtype=np.uint8) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"chip_{number:02}.{'png' if dtype == np.uint8 else 'tif'}" for number in range(count)]
    for number, path in enumerate(files):
        write_chip(path, pixels(number, dtype=dtype))
    return files


def write_chip(path: Path, chip: np.ndarray) -> None:
    if path.suffix == ".tif":
        tifffile.imwrite(path, chip, photometric="rgb")
    else:
        Image.fromarray(chip).save(path)


def break_chip(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100])


def opened(root: Path, files: list[Path], images: ImageSet = PNG, size: int = 8, **options) -> ChipCache:
    names = [path.stem for path in files]
    return open_cache(root, "train", names, files, images, size, **options)


def everything(cache: ChipCache) -> np.ndarray:
    return cache.read(np.arange(len(cache)))


def expected(files: list[Path], images: ImageSet = PNG, size: int = 8) -> np.ndarray:
    return np.stack([resize_chip(read_chip(path, images), size) for path in files])


@pytest.fixture
def files(tmp_path) -> list[Path]:
    return write_chips(tmp_path / "chips", 10)


@pytest.fixture
def decoded(monkeypatch) -> list[np.ndarray]:
    """The chips decoded into a cache since the test began, in the order of their decoding."""
    chips: list[np.ndarray] = []

    def counting(chip: np.ndarray, size: int) -> np.ndarray:
        chips.append(chip)
        return resize_chip(chip, size)

    monkeypatch.setattr(chip_cache, "resize_chip", counting)
    return chips


def test_pixels_are_those_of_the_files_at_the_size_asked_for(tmp_path, files):
    cache = opened(tmp_path / "cache", files)
    assert cache.names == tuple(path.stem for path in files)
    assert (len(cache), cache.chip_shape, cache.dtype, cache.left_out) == (10, (8, 8, 3), np.uint8, ())
    np.testing.assert_array_equal(everything(cache), expected(files))


@pytest.mark.parametrize("rendering", ["jpg", "tif"])
def test_simulated_chips_of_both_renderings_come_back_as_they_are(tmp_path, simulated, rendering):
    images = load("planet").image_set(rendering)
    files = sorted((simulated / images.train[0]).iterdir())[:7]
    cache = opened(tmp_path, files, images, size=32)
    assert cache.dtype == (np.uint8 if rendering == "jpg" else np.uint16)
    np.testing.assert_array_equal(everything(cache), expected(files, images, 32))


def test_chips_are_read_in_any_order_and_as_often_as_asked(tmp_path, files):
    cache = opened(tmp_path / "cache", files)
    positions = np.array([7, 2, 2, 9, 0])
    np.testing.assert_array_equal(cache.read(positions), expected([files[i] for i in positions]))
    assert cache.read(np.array([], dtype=np.int64)).shape == (0, 8, 8, 3)


def test_opened_again_it_decodes_nothing(tmp_path, files, decoded):
    first = opened(tmp_path / "cache", files)
    assert len(decoded) == 10
    again = opened(tmp_path / "cache", files)
    assert len(decoded) == 10
    assert again.digest == first.digest
    np.testing.assert_array_equal(everything(again), everything(first))


def test_a_changed_file_alone_is_decoded_again(tmp_path, files, decoded):
    before = opened(tmp_path / "cache", files)
    write_chip(files[3], pixels(77))
    after = opened(tmp_path / "cache", files)
    assert len(decoded) == 11
    assert after.digest != before.digest
    np.testing.assert_array_equal(everything(after), expected(files))


def test_a_changed_file_of_the_same_length_is_decoded_again(tmp_path, decoded):
    files = write_chips(tmp_path / "chips", 3, np.uint16)
    opened(tmp_path / "cache", files, TIF)
    length = files[1].stat().st_size
    write_chip(files[1], pixels(77, dtype=np.uint16))
    os.utime(files[1], ns=(1, 1))
    assert files[1].stat().st_size == length
    np.testing.assert_array_equal(everything(opened(tmp_path / "cache", files, TIF)), expected(files, TIF))
    assert len(decoded) == 4


def test_a_touched_file_is_read_once_and_not_decoded_again(tmp_path, files, decoded, monkeypatch):
    before = opened(tmp_path / "cache", files)
    os.utime(files[3], ns=(1, 1))
    read, digest = [], chip_cache.digest_chip
    monkeypatch.setattr(chip_cache, "digest_chip", lambda path: read.append(path) or digest(path))
    for _ in range(2):
        assert opened(tmp_path / "cache", files).digest == before.digest
    assert (len(decoded), read) == (10, [files[3]])


def test_interrupted_it_goes_on_at_the_last_block(tmp_path, monkeypatch):
    files = write_chips(tmp_path / "chips", 16)
    monkeypatch.setattr(chip_cache, "BLOCK", 4)
    calls = []

    def interrupted(chip: np.ndarray, size: int) -> np.ndarray:
        calls.append(chip)
        if len(calls) == 10:
            raise KeyboardInterrupt
        return resize_chip(chip, size)

    monkeypatch.setattr(chip_cache, "resize_chip", interrupted)
    with pytest.raises(KeyboardInterrupt):
        opened(tmp_path / "cache", files)
    calls[:] = [None] * 10
    cache = opened(tmp_path / "cache", files)
    assert len(calls) - 10 == 16 - 8
    np.testing.assert_array_equal(everything(cache), expected(files))


def test_pixels_that_were_removed_are_decoded_again_and_not_black(tmp_path, files):
    opened(tmp_path / "cache", files)
    next((tmp_path / "cache").rglob("chips.npy")).unlink()
    np.testing.assert_array_equal(everything(opened(tmp_path / "cache", files)), expected(files))


def flipped(content: bytes, at: int) -> bytes:
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


DAMAGES = {
    "gone": None,
    "emptied": lambda content: b"",
    "truncated": lambda content: content[: len(content) // 2],
    "zeroed": lambda content: bytes(len(content)),
    "zeroed at the end": lambda content: content[:-40] + bytes(40),
    "no array": lambda content: b"?" * 999,
    "no Python in its head": lambda content: content.replace(b"{", b"(", 1),
    "of other numbers": lambda content: content.replace(b"'|u1'", b"'|i1'").replace(b"'<i8'", b"'>i8'"),
    "one bit flipped": lambda content: flipped(content, -9),
}


@pytest.mark.parametrize("name", ["chips.npy", "rows.npy", "sums.npy"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_whatever_happens_to_a_file_the_chips_are_those_of_the_files_and_a_line_says_so(
    tmp_path, files, lines, name, damage
):
    digest = opened(tmp_path / "cache", files).digest
    path = next((tmp_path / "cache").rglob(name))
    content, change = path.read_bytes(), DAMAGES[damage]
    path.unlink()
    if change:
        path.write_bytes(change(content))
    lines.clear()
    for _ in range(2):
        cache = opened(tmp_path / "cache", files)
        assert cache.digest == digest
        assert cache.left_out == ()
        np.testing.assert_array_equal(everything(cache), expected(files))
    said = [line for line in lines if "is damaged" in line]
    if change and name != "sums.npy":
        assert len(said) == 1, lines
        assert said[0].startswith(str(path))
        assert "decoded again" in said[0]


@pytest.mark.parametrize("at", range(8))
def test_no_bit_of_any_record_turns_without_being_seen(tmp_path, files, at):
    digest = opened(tmp_path / "cache", files).digest
    path = next((tmp_path / "cache").rglob("rows.npy"))
    content = path.read_bytes()
    for place in range(128 + at, 128 + chip_cache.ROW.itemsize, 8):
        path.write_bytes(flipped(content, place))
        cache = opened(tmp_path / "cache", files)
        assert (cache.digest, cache.left_out) == (digest, ())


def test_a_cache_without_checksums_is_used_as_it_is(tmp_path, files, decoded):
    first = opened(tmp_path / "cache", files)
    next((tmp_path / "cache").rglob("sums.npy")).unlink()
    np.testing.assert_array_equal(everything(opened(tmp_path / "cache", files)), everything(first))
    assert len(decoded) == 10


def test_damaged_pixels_of_a_chip_whose_file_is_another_by_now_are_not_shown(tmp_path, files):
    cache = opened(tmp_path / "cache", files)
    path = next((tmp_path / "cache").rglob("chips.npy"))
    path.write_bytes(flipped(path.read_bytes(), -9))
    cache = opened(tmp_path / "cache", files)
    write_chip(files[9], pixels(77))
    with pytest.raises(UserError, match=r"chips.npy is damaged at chip_09, and its file is gone or another one"):
        everything(cache)
    np.testing.assert_array_equal(everything(opened(tmp_path / "cache", files)), expected(files))


def test_a_kill_while_the_array_is_made_leaves_nothing_half_made(tmp_path, files, monkeypatch):
    make = np.lib.format.open_memmap

    def killed(path: Path, **options: object) -> None:
        Path(path).write_bytes(b"\x93NUMPY")
        raise KeyboardInterrupt

    monkeypatch.setattr(np.lib.format, "open_memmap", killed)
    with pytest.raises(KeyboardInterrupt):
        opened(tmp_path / "cache", files)
    monkeypatch.setattr(np.lib.format, "open_memmap", make)
    np.testing.assert_array_equal(everything(opened(tmp_path / "cache", files)), expected(files))


def test_a_broken_chip_stops_with_a_line_that_names_it_and_the_way_on(tmp_path, files):
    break_chip(files[4])
    for _ in range(2):
        with pytest.raises(BrokenChipError, match=r"chip_04\.png.*Mend it, or add --skip-broken") as caught:
            opened(tmp_path / "cache", files)
        assert "\n" not in str(caught.value)


def test_an_unpacked_chip_that_is_another_one_now_is_broken_though_it_can_be_decoded(tmp_path, files):
    note_contents(files[0].parent)
    shutil.copyfile(files[1], files[0])
    advised = r"not what was unpacked\. Run .*data prepare --from DIR --reread\S*, or add --skip"
    with pytest.raises(BrokenChipError, match=advised):
        opened(tmp_path / "cache", files)
    shutil.rmtree(files[0].parent)
    write_chips(files[0].parent, 10)
    assert np.array_equal(everything(opened(tmp_path / "cache", files)), expected(files))


def test_more_broken_chips_are_counted(tmp_path, files):
    for path in files[4:7]:
        break_chip(path)
    with pytest.raises(BrokenChipError, match=r"chip_04\.png.*\(2 more are broken\)"):
        opened(tmp_path / "cache", files)


def test_skip_broken_leaves_broken_chips_out_and_lists_them(tmp_path, files, lines):
    break_chip(files[4])
    write_chip(files[6], np.zeros((12, 12, 3), np.uint8))
    cache = opened(tmp_path / "cache", files, skip_broken=True)
    assert cache.left_out == ("chip_04", "chip_06")
    assert "Left out 2 broken chips: chip_04, chip_06." in lines
    usable = [path for path in files if path.stem not in cache.left_out]
    assert cache.names == tuple(path.stem for path in usable)
    np.testing.assert_array_equal(everything(cache), expected(usable))
    with pytest.raises(BrokenChipError, match="chip_04"):
        opened(tmp_path / "cache", files)


def test_a_mended_chip_is_used(tmp_path, files):
    whole = opened(tmp_path / "whole", files)
    content = files[4].read_bytes()
    break_chip(files[4])
    opened(tmp_path / "cache", files, skip_broken=True)
    files[4].write_bytes(content)
    cache = opened(tmp_path / "cache", files)
    assert (cache.left_out, cache.digest) == ((), whole.digest)
    np.testing.assert_array_equal(everything(cache), expected(files))


def test_a_chip_that_broke_later_is_not_shown_as_it_was(tmp_path, files):
    before = opened(tmp_path / "cache", files)
    break_chip(files[4])
    with pytest.raises(BrokenChipError, match="chip_04"):
        opened(tmp_path / "cache", files)
    after = opened(tmp_path / "cache", files, skip_broken=True)
    assert after.left_out == ("chip_04",)
    assert after.digest != before.digest
    np.testing.assert_array_equal(everything(after), expected([path for path in files if path.stem != "chip_04"]))


def test_a_file_that_is_gone_is_a_broken_chip(tmp_path, files):
    opened(tmp_path / "cache", files)
    files[2].unlink()
    with pytest.raises(BrokenChipError, match=r"chip_02\.png: No such file"):
        opened(tmp_path / "cache", files)
    assert opened(tmp_path / "cache", files, skip_broken=True).left_out == ("chip_02",)


def test_chips_that_are_all_broken_are_refused_in_one_line(tmp_path, files):
    for path in files:
        break_chip(path)
    with pytest.raises(UserError, match=r"All 10 chips are broken; the first is .*chip_00\.png"):
        opened(tmp_path / "cache", files, skip_broken=True)


@pytest.mark.parametrize("odd", [0, 5])
def test_a_chip_of_another_data_type_is_the_broken_one_wherever_it_lies(tmp_path, odd):
    files = write_chips(tmp_path / "chips", 8, np.uint16)
    write_chip(files[odd], pixels(50))
    with pytest.raises(BrokenChipError, match=rf"chip_0{odd}\.tif: expected uint16 as in the others, received uint8"):
        opened(tmp_path / "cache", files, TIF)
    cache = opened(tmp_path / "cache", files, TIF, skip_broken=True)
    assert (cache.left_out, cache.dtype) == ((f"chip_0{odd}",), np.uint16)


def test_chips_that_became_another_data_type_are_all_decoded_again_and_none_is_black(tmp_path):
    files = write_chips(tmp_path / "chips", 6, np.uint16)
    opened(tmp_path / "cache", files, TIF)
    for number, path in enumerate(files[:5]):
        write_chip(path, pixels(number))
    cache = opened(tmp_path / "cache", files, TIF, skip_broken=True)
    assert (cache.left_out, cache.dtype) == (("chip_05",), np.uint8)
    np.testing.assert_array_equal(everything(cache), expected(files[:5], TIF))
    write_chip(files[5], pixels(5))
    np.testing.assert_array_equal(everything(opened(tmp_path / "cache", files, TIF)), expected(files, TIF))


def test_the_digest_is_of_the_content_and_of_how_it_was_decoded(tmp_path, files):
    cache = opened(tmp_path / "cache", files)
    shutil.copytree(files[0].parent, tmp_path / "copies")
    copies = [tmp_path / "copies" / path.name for path in files]
    assert opened(tmp_path / "cache2", copies).digest == cache.digest
    assert opened(tmp_path / "cache", files, size=6).digest != cache.digest
    write_chip(copies[0], pixels(77))
    assert opened(tmp_path / "cache2", copies).digest != cache.digest
    # The same files under each other's names.
    assert opened(tmp_path / "cache3", [files[1], files[0], *files[2:]]).digest != cache.digest


def test_sizes_splits_and_sets_of_names_have_caches_of_their_own(tmp_path, files):
    names = [path.stem for path in files]
    caches = [
        opened(tmp_path, files),
        opened(tmp_path, files, size=6),
        opened(tmp_path, files[:9]),
        open_cache(tmp_path, "test", names, files, PNG, 8),
    ]
    assert [cache.chip_shape[0] for cache in caches] == [8, 6, 8, 8]
    assert len(list(tmp_path.glob("*/chips.npy"))) == 4
    np.testing.assert_array_equal(everything(caches[0]), expected(files))


def test_threads_at_once_decode_each_chip_once(tmp_path, files, decoded):
    barrier = threading.Barrier(3)

    def open_one(_: int) -> ChipCache:
        barrier.wait()
        return opened(tmp_path / "cache", files)

    with ThreadPoolExecutor(3) as pool:
        caches = list(pool.map(open_one, range(3)))
    assert len(decoded) == 10
    assert len({cache.digest for cache in caches}) == 1
    for cache in caches:
        np.testing.assert_array_equal(everything(cache), expected(files))


PROCESS = """
import sys
from pathlib import Path
from competition.data.chip_cache import open_cache
from competition.spec.images import ImageSet
files = sorted(Path(sys.argv[1]).iterdir())
images = ImageSet(suffix=".png", bands="RGB", train=("train",), test=("test",))
print(open_cache(Path(sys.argv[2]), "train", [p.stem for p in files], files, images, 8).digest)
"""


def test_processes_at_once_decode_each_chip_once(tmp_path, files):
    root = Path(chip_cache.__file__).parents[2]
    command = [sys.executable, "-c", PROCESS, str(files[0].parent), str(tmp_path / "cache")]
    started = [subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    lines = [process.communicate(timeout=60)[0].split("\n") for process in started]
    assert [process.returncode for process in started] == [0, 0]
    # Whoever comes second finds the work done; each prints the digest last.
    assert sorted(sum("Decoding" in line for line in output) for output in lines) == [0, 1]
    assert {output[-2] for output in lines} == {opened(tmp_path / "cache", files).digest}


def test_a_disk_that_is_too_small_is_refused_before_decoding(tmp_path, files, decoded, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=100))
    with pytest.raises(UserError, match=r"The chip cache needs 2 kB, but .* has 100 bytes free\. Make room"):
        opened(tmp_path / "cache", files)
    assert not decoded


def test_no_chips_are_refused(tmp_path):
    with pytest.raises(UserError, match="no train chips"):
        opened(tmp_path, [])


def test_two_renderings_of_one_suffix_do_not_share_pixels(tmp_path, files):
    other = ImageSet(suffix=".png", bands="RGB", train=("enhanced",), test=("test",))
    enhanced = [tmp_path / "enhanced" / path.name for path in files]
    (tmp_path / "enhanced").mkdir()
    for number, path in enumerate(enhanced):
        write_chip(path, pixels(100 + number))
    first = opened(tmp_path / "cache", files)
    second = opened(tmp_path / "cache", enhanced, other)
    np.testing.assert_array_equal(everything(first), expected(files))
    np.testing.assert_array_equal(everything(second), expected(enhanced, other))


SPLIT = ImageSet(suffix=".tif", bands=("B2", "B8A"), file="{id}_{band}", train=("train",))


@pytest.fixture
def split(tmp_path) -> list[tuple[Path, ...]]:
    files = []
    for number in range(3):
        files.append(tuple(tmp_path / f"chip_{number}_{band}.tif" for band in SPLIT.bands))
        for place, path in enumerate(files[-1]):
            tifffile.imwrite(path, pixels(number + 10 * place, dtype=np.uint16)[:: place + 1, :: place + 1, 0])
    return files


def opened_split(root: Path, split: list[tuple[Path, ...]], **options) -> ChipCache:
    return open_cache(root, "train", ["a", "b", "c"], split, SPLIT, 8, **options)


@pytest.mark.parametrize("place", [0, 1])
def test_a_change_of_any_file_of_a_chip_is_seen(tmp_path, split, decoded, place):
    before = opened_split(tmp_path / "cache", split)
    assert (before.chip_shape, before.dtype) == ((8, 8, 2), np.uint16)
    opened_split(tmp_path / "cache", split)
    assert len(decoded) == 3
    path = split[1][place]
    status = path.stat()
    shape = tifffile.imread(path).shape
    tifffile.imwrite(path, np.full(shape, 5000, np.uint16))
    os.utime(path, ns=(1, status.st_mtime_ns - 5_000_000_000))  # older than the rest
    after = opened_split(tmp_path / "cache", split)
    assert (len(decoded), after.digest != before.digest) == (4, True)
    assert (everything(after)[1, ..., place] == 5000).all()
    os.utime(path, ns=(1, 1))
    assert opened_split(tmp_path / "cache", split).digest == after.digest
    assert len(decoded) == 4
    path.unlink()
    with pytest.raises(BrokenChipError, match=rf"{path.name}: No such file"):
        opened_split(tmp_path / "cache", split)
    assert opened_split(tmp_path / "cache", split, skip_broken=True).left_out == ("b",)


@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_signed_values_and_floats_are_kept_as_they_are(tmp_path, dtype):
    files = [tmp_path / f"{number}.tif" for number in range(4)]
    for number, path in enumerate(files):
        tifffile.imwrite(path, (pixels(number, 8).astype(np.float32) - 100).astype(dtype), photometric="rgb")
    cache = opened(tmp_path / "cache", files, TIF)
    assert cache.dtype == dtype
    assert everything(cache).min() < 0
    np.testing.assert_array_equal(everything(cache), expected(files, TIF))


def test_what_counts_as_no_data_and_as_black_is_part_of_what_was_decoded(tmp_path):
    files = write_chips(tmp_path / "chips", 3, np.uint16)
    ways = [{}, {"nodata": 0}, {"nodata": 7}, {"nodata": 7, "range": {"R": (10, 20)}}, {"black": "valid"}]
    caches = [opened(tmp_path / "cache", files, ImageSet(**{**TIF.model_dump(), **way})) for way in ways]
    assert len({cache.digest for cache in caches}) == len(ways)


def test_keys_and_digests_are_those_of_the_first_version(tmp_path, files):
    cache = opened(tmp_path, files)
    names = [path.stem for path in files]
    contents = [hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest() for path in files]
    assert (tmp_path / f"train-png-8px-{digest_json([names, ['train'], 'RGB', 1])[:8]}").is_dir()
    assert cache.digest == digest_json([8, "RGB", 1, contents])


LYING = np.zeros((8, 8, 3), dtype=np.uint8)
LYING[:4, :4] = 200  # a corner: top left as the file has it, top right as orientation 6 means it
UPRIGHT = LYING[:, ::-1]


def write_turned(path: Path) -> None:
    if path.suffix == ".tif":
        tifffile.imwrite(path, LYING, photometric="rgb", extratags=[(274, "H", 1, 6, True)])
        return
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(LYING).save(path, exif=exif)


def put_exif_last(path: Path) -> None:
    """Move the EXIF of a PNG behind its pixels, where it may stand too."""
    content = path.read_bytes()
    start = content.index(b"eXIf") - 4
    end = start + 12 + int.from_bytes(content[start : start + 4])
    last = content.index(b"IEND") - 4
    path.write_bytes(content[:start] + content[end:last] + content[start:end] + content[last:])


@pytest.mark.parametrize("kind", ["png", "late png", "tif"])
def test_turned_chips_of_a_cache_that_left_them_as_they_lay_are_decoded_again_and_no_others(
    tmp_path, decoded, monkeypatch, kind
):
    images = TIF if kind == "tif" else PNG
    files = [tmp_path / f"{number}{images.suffix[0]}" for number in range(4)]
    for number, path in enumerate(files):
        write_chip(path, pixels(number, 8))
    write_turned(files[2])
    if kind == "late png":
        put_exif_last(files[2])
    with monkeypatch.context() as first_version:
        first_version.setattr(decode, "TURNS", {})
        before = opened(tmp_path / "cache", files, images)
        np.testing.assert_array_equal(everything(before)[2], LYING)
        contents = [hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest() for path in files]
        assert before.digest == digest_json([8, "RGB", 1, contents])
        next((tmp_path / "cache").rglob("upright")).unlink()
    after = opened(tmp_path / "cache", files, images)
    assert (len(decoded), after.digest != before.digest) == (5, True)
    np.testing.assert_array_equal(everything(after), [*everything(before)[:2], UPRIGHT, everything(before)[3]])
    assert opened(tmp_path / "cache", files, images).digest == after.digest
    assert opened(tmp_path / "new", files, images).digest == after.digest
    assert len(decoded) == 5 + 4


def test_a_cache_of_the_first_version_without_turned_chips_is_used_as_it_is(tmp_path, files, decoded):
    before = opened(tmp_path / "cache", files)
    next((tmp_path / "cache").rglob("upright")).unlink()
    assert opened(tmp_path / "cache", files).digest == before.digest
    assert len(decoded) == 10


def test_of_a_file_per_band_one_that_is_turned_is_enough(tmp_path, split):
    before = everything(opened_split(tmp_path / "cache", split))[1, ..., 1]
    chip = tifffile.imread(split[1][1])
    tifffile.imwrite(split[1][1], chip, extratags=[(274, "H", 1, 3, True)])
    assert holds_turned(split[1])
    assert not holds_turned(split[0])
    turned = everything(opened_split(tmp_path / "cache", split))[1, ..., 1]
    np.testing.assert_allclose(turned, before[::-1, ::-1], atol=1)
