from __future__ import annotations

import errno
import gzip
import json
import os
import shutil
import stat
import tarfile
import zipfile
from collections import namedtuple
from pathlib import Path

import py7zr
import pytest

from competition.common.errors import UserError
from competition.common.packed import FORMATS
from competition.common.progress import reporter
from competition.data import extraction
from competition.data.archives import Unpacker, unpack_file, unpack_folder
from tests.competition.samples import held, tar_bytes, write_archive

# Random bytes do not compress, so that cutting an archive in the middle cuts the content.
FILES = {f"chip_{i}.jpg": os.urandom(3000) for i in range(5)}
TAR_SUFFIXES = (".tar.7z", ".tar", ".tar.gz", ".tgz")


def in_folder(folder: str) -> dict[str, bytes]:
    return {f"{folder}/{name}": content for name, content in FILES.items()}


def special(kind: bytes, name: str, link: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, link
    return member


def assert_refused_and_old_kept(archive: Path, tmp_path: Path, match: str) -> None:
    target = tmp_path / "data" / "chips"
    target.mkdir(parents=True)
    (target / "old.jpg").write_bytes(b"old")
    with pytest.raises(UserError, match=match) as caught:
        unpack_folder(archive, target)
    assert "\n" not in str(caught.value)
    assert archive.name in str(caught.value)
    assert held(tmp_path / "data") == {"chips/old.jpg": b"old"}
    assert not (tmp_path / "evil").exists()
    assert not (tmp_path / "data" / "evil").exists()


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("top", ["", "chips/", "chips/chips/", "other/", "./chips/"])
def test_the_target_holds_the_files_however_deep_the_archive_has_them(tmp_path: Path, suffix: str, top: str) -> None:
    archive = write_archive(tmp_path / f"chips{suffix}", {top + name: content for name, content in FILES.items()})
    target = tmp_path / "data" / "chips"
    assert unpack_folder(archive, target) == len(FILES)
    assert held(tmp_path / "data") == {f"chips/{name}": content for name, content in FILES.items()}
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["chips"]


def test_unpacked_files_have_the_usual_permissions(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "chips.tar", FILES)
    target = tmp_path / "data" / "chips"
    mask = os.umask(0o027)
    try:
        unpack_folder(archive, target)
    finally:
        os.umask(mask)
    assert stat.S_IMODE(target.stat().st_mode) == 0o750
    assert stat.S_IMODE((target / "chip_0.jpg").stat().st_mode) == 0o640


@pytest.mark.parametrize("suffix", FORMATS)
def test_junk_of_macos_is_left_out(tmp_path: Path, suffix: str) -> None:
    junk = {"__MACOSX/chips/._chip_0.jpg": b"x", "chips/.DS_Store": b"x", "chips/._chip_1.jpg": b"x"}
    archive = write_archive(tmp_path / f"chips{suffix}", junk | in_folder("chips"))
    unpack_folder(archive, tmp_path / "data" / "chips")
    assert held(tmp_path / "data" / "chips") == FILES


def test_unpacking_again_replaces_the_folder(tmp_path: Path) -> None:
    target = tmp_path / "data" / "chips"
    unpack_folder(write_archive(tmp_path / "a.tar", {"gone.jpg": b"1", "same.jpg": b"2"}), target)
    unpack_folder(write_archive(tmp_path / "b.tar", {"same.jpg": b"3"}), target)
    assert held(tmp_path / "data") == {"chips/same.jpg": b"3"}


@pytest.mark.parametrize("suffix", [*TAR_SUFFIXES, ".zip"])
@pytest.mark.parametrize("name", ["../evil", "chips/../../evil", "/evil", "C:\\evil", "..\\evil", "C:evil"])
def test_names_that_lead_outside_are_refused(tmp_path: Path, suffix: str, name: str) -> None:
    archive = write_archive(tmp_path / f"chips{suffix}", FILES | {name: b"evil"})
    assert_refused_and_old_kept(archive, tmp_path, "evil' leads outside the folder")


@pytest.mark.parametrize("name", ["../evil", "/evil"])
def test_names_that_lead_outside_are_refused_in_7z(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr("py7zr.py7zr.check_archive_path", lambda _: True)  # py7zr would not write such a file
    monkeypatch.setattr("py7zr.py7zr.SevenZipFile._sanitize_archive_arcname", lambda _, name: name)
    archive = write_archive(tmp_path / "chips.7z", FILES | {name: b"evil"})
    assert_refused_and_old_kept(archive, tmp_path, "evil' leads outside the folder")


@pytest.mark.parametrize("suffix", TAR_SUFFIXES)
@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_a_tar_are_refused(tmp_path: Path, suffix: str, kind: bytes) -> None:
    archive = write_archive(tmp_path / f"chips{suffix}", FILES, special(kind, "evil", "../../evil"))
    assert_refused_and_old_kept(archive, tmp_path, "'evil' is a link or a device")


def test_links_in_a_zip_are_refused(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "chips.zip", FILES)
    link = zipfile.ZipInfo("evil")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(archive, "a") as file:
        file.writestr(link, "/etc/passwd")
    assert_refused_and_old_kept(archive, tmp_path, "'evil' is a link or a device")


def test_links_in_a_7z_are_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc/hostname")
    archive = tmp_path / "chips.7z"
    with py7zr.SevenZipFile(archive, "w") as file:
        file.write(tmp_path / "link", "evil")
    assert_refused_and_old_kept(archive, tmp_path, "'evil' is a link or a device")


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.97])
def test_truncated_archives_are_refused(tmp_path: Path, suffix: str, share: float) -> None:
    archive = write_archive(tmp_path / f"chips{suffix}", FILES)
    # A tar ends with blocks of zeros that nobody misses: cut relative to the content.
    whole = archive.read_bytes()
    length = len(whole) if suffix != ".tar" else 5 * (512 + 3072)
    archive.write_bytes(whole[: int(share * length)])
    assert_refused_and_old_kept(archive, tmp_path, "Cannot unpack .*download it again")


@pytest.mark.parametrize("suffix", [".tar", ".tar.7z"])
def test_a_tar_cut_between_two_members_is_refused(tmp_path: Path, suffix: str) -> None:
    cut = tar_bytes(FILES)[: 2 * (512 + 3072)]
    archive = tmp_path / f"chips{suffix}"
    if suffix == ".tar":
        archive.write_bytes(cut)
    else:
        with py7zr.SevenZipFile(archive, "w") as file:
            file.writestr(cut, "chips.tar")
    assert_refused_and_old_kept(archive, tmp_path, "ends early")


@pytest.mark.parametrize("suffix", [".tar.7z", ".7z", ".zip", ".tar.gz"])
def test_a_damaged_byte_is_noticed(tmp_path: Path, suffix: str) -> None:
    archive = write_archive(tmp_path / f"chips{suffix}", FILES)
    content = bytearray(archive.read_bytes())
    content[len(content) // 2] ^= 0xFF
    archive.write_bytes(content)
    assert_refused_and_old_kept(archive, tmp_path, "Cannot unpack")


@pytest.mark.parametrize("suffix", [".tar", ".tar.7z", ".tar.gz"])
def test_what_follows_the_end_of_a_tar_is_read_too(tmp_path: Path, suffix: str) -> None:
    # Tape blocks are filled up with zeros; the checksum of the whole comes only after them.
    whole = tar_bytes(FILES) + bytes(1 << 21)
    archive = tmp_path / f"chips{suffix}"
    if suffix == ".tar.7z":
        with py7zr.SevenZipFile(archive, "w") as file:
            file.writestr(whole, "chips.tar")
    else:
        archive.write_bytes(whole if suffix == ".tar" else gzip.compress(whole))
    assert unpack_folder(archive, tmp_path / "data" / "good") == len(FILES)
    if suffix == ".tar.gz":
        shutil.rmtree(tmp_path / "data")
        archive.write_bytes(gzip.compress(whole)[:-8] + bytes(8))
        assert_refused_and_old_kept(archive, tmp_path, "CRC check failed")


def test_what_stops_a_7z_is_named_and_not_the_tar_that_ends_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsupported(*_: object, **__: object) -> None:
        raise py7zr.UnsupportedCompressionMethodError(b"", "BCJ2 filter is not supported")

    archive = write_archive(tmp_path / "chips.tar.7z", FILES)
    monkeypatch.setattr(py7zr.SevenZipFile, "extractall", unsupported)
    assert_refused_and_old_kept(archive, tmp_path, "BCJ2 filter is not supported")


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_web_page_is_not_an_archive(tmp_path: Path, suffix: str) -> None:
    archive = tmp_path / f"chips{suffix}"
    archive.write_text("<html>Please log in</html>" * 100)
    assert_refused_and_old_kept(archive, tmp_path, "Cannot unpack .*download it again")


@pytest.mark.parametrize("header", [False, True])
def test_an_encrypted_7z_is_refused(tmp_path: Path, header: bool) -> None:
    archive = tmp_path / "chips.7z"
    with py7zr.SevenZipFile(archive, "w", password="secret", header_encryption=header) as file:
        file.writestr(b"x", "chip.jpg")
    assert_refused_and_old_kept(archive, tmp_path, r"is encrypted\. Unpack it yourself")


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "chips.zip", {"chip.jpg": b"x"})
    content = bytearray(archive.read_bytes())
    content[6] |= 1  # the flags in the local header ...
    content[content.index(b"PK\x01\x02") + 8] |= 1  # ... and in the directory
    archive.write_bytes(content)
    assert_refused_and_old_kept(archive, tmp_path, r"is encrypted\. Unpack it yourself")


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_disk_that_is_too_small_is_noticed_before_unpacking(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    archive = write_archive(tmp_path / f"chips{suffix}", FILES)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: namedtuple("Usage", "free")(4000))
    assert_refused_and_old_kept(archive, tmp_path, r", unpacked, needs \d+ kB, but .*data has 4 kB free")


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_disk_that_fills_up_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    archive = write_archive(tmp_path / f"chips{suffix}", FILES)
    monkeypatch.setattr(extraction.Destination, "create", full)
    assert_refused_and_old_kept(archive, tmp_path, "The disk is full")


@pytest.mark.parametrize("suffix", FORMATS)
def test_an_interruption_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str) -> None:
    target = tmp_path / "data" / "chips"
    unpack_folder(write_archive(tmp_path / "old.tar", {"old.jpg": b"old"}), target)
    create, calls = extraction.Destination.create, []

    def interrupted(self: extraction.Destination, path: Path) -> object:
        calls.append(path)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return create(self, path)

    monkeypatch.setattr(extraction.Destination, "create", interrupted)
    with pytest.raises(KeyboardInterrupt):
        unpack_folder(write_archive(tmp_path / f"chips{suffix}", FILES), target)
    assert held(tmp_path / "data") == {"chips/old.jpg": b"old"}
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["chips"]


def test_the_old_folder_comes_back_if_the_new_one_cannot_take_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "data" / "chips"
    unpack_folder(write_archive(tmp_path / "old.tar", {"old.jpg": b"old"}), target)
    rename = Path.rename

    def failing(self: Path, to: Path) -> Path:
        if to == target and self.name != ".chips.old":  # the old folder has been moved away
            raise OSError(errno.EIO, "Input/output error")
        return rename(self, to)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(OSError, match="Input/output"):
        unpack_folder(write_archive(tmp_path / "chips.tar", FILES), target)
    assert held(tmp_path / "data") == {"chips/old.jpg": b"old"}


def test_of_several_folders_the_one_of_the_name_counts_or_else_all_of_them(tmp_path: Path) -> None:
    files = {"a/chip.jpg": b"a", "chips/chip.jpg": b"b"}
    archive = write_archive(tmp_path / "chips.zip", files)
    assert unpack_folder(archive, tmp_path / "data" / "chips") == 1
    assert held(tmp_path / "data") == {"chips/chip.jpg": b"b"}
    assert unpack_folder(archive, tmp_path / "data" / "others") == 2
    assert held(tmp_path / "data" / "others") == files


def test_folders_that_are_part_of_what_names_a_chip_are_kept(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "chips.zip", {"chips/2020/a.jpg": b"a"})
    unpack_folder(archive, tmp_path / "data" / "chips", as_it_is=True)
    assert held(tmp_path / "data" / "chips") == {"2020/a.jpg": b"a"}
    unpack_folder(archive, tmp_path / "data" / "all", as_it_is=True)
    assert held(tmp_path / "data" / "all") == {"chips/2020/a.jpg": b"a"}


def test_an_archive_without_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no files"):
        unpack_folder(write_archive(tmp_path / "chips.tar", {}), tmp_path / "data" / "chips")


@pytest.mark.parametrize("suffix", [".tar", ".tar.7z"])
def test_two_members_of_one_name_are_refused(tmp_path: Path, suffix: str) -> None:
    archive = write_archive(tmp_path / f"chips{suffix}", {"chip.jpg": b"a", "./chip.jpg": b"b"})
    assert_refused_and_old_kept(archive, tmp_path, "'chip.jpg' occurs twice")


@pytest.mark.parametrize("suffix", [".zip", ".7z"])
def test_the_csv_in_an_archive_is_found(tmp_path: Path, suffix: str) -> None:
    target = tmp_path / "data" / "train.csv"
    files = {"__MACOSX/._train.csv": b"junk", "folder/train.csv": b"id\n1\n"}
    unpack_file(write_archive(tmp_path / f"train.csv{suffix}", files), target)
    assert held(tmp_path / "data") == {"train.csv": b"id\n1\n"}
    unpack_file(write_archive(tmp_path / f"b.csv{suffix}", {"renamed.csv": b"id\n2\n"}), target)
    assert target.read_bytes() == b"id\n2\n"


def test_an_archive_of_other_files_yields_no_csv(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "train.csv.zip", {"a.csv": b"a", "b.csv": b"b"})
    with pytest.raises(UserError, match=r"should hold one train.csv, but holds .*\.csv, .*\.csv"):
        unpack_file(archive, tmp_path / "train.csv")


def test_sizes_are_announced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    unpack_folder(write_archive(tmp_path / "chips.zip", FILES), tmp_path / "chips")
    assert capsys.readouterr().err.startswith("Unpacking chips.zip: 15 kB, ")
    with reporter.silent():
        unpack_folder(tmp_path / "chips.zip", tmp_path / "chips")
    assert capsys.readouterr().err == ""


def test_an_archive_is_unpacked_once_whatever_lies_within_it(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "set.zip", {"a/1.png": b"1", "b/c/2.png": b"2", "x.csv": b"3"})
    unpacker = Unpacker(tmp_path / "data")
    for how in ("unpacked from set.zip", "unpacked earlier from set.zip"):
        assert unpacker.unpack("set", archive, is_folder=True, as_it_is=True) == how
    assert len(held(tmp_path / "data" / "set")) == 3
    (tmp_path / "data" / "set" / "b" / "c" / "2.png").unlink()
    assert unpacker.unpack("set", archive, is_folder=True, as_it_is=True) == "unpacked again from set.zip"
    (tmp_path / "data" / "set" / "b" / "c" / "2.png").write_bytes(b"3")  # as many files, of as many bytes
    assert unpacker.unpack("set", archive, is_folder=True, as_it_is=True) == "unpacked again from set.zip"
    assert unpacker.made_from({"set.zip", "other.zip"}) == [tmp_path / "data" / "set"]
    assert unpacker.made_from({"other.zip"}) == []


def test_a_path_is_made_with_its_folders_and_leftovers_are_removed(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "train.csv.zip", {"train.csv": b"id"})
    (tmp_path / "data" / ".tmp-0123abcd-1-killed.unpacking").mkdir(parents=True)
    Unpacker(tmp_path / "data").unpack("tables/train.csv", archive, is_folder=False)
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == ["tables", "unpacked.json"]


def test_what_lies_beside_the_folder_of_the_archives_name_is_kept(tmp_path: Path) -> None:
    files = {"set/a/1.png": b"1", "set.csv": b"2"}
    unpack_folder(write_archive(tmp_path / "set.zip", files), tmp_path / "data" / "set", as_it_is=True)
    assert held(tmp_path / "data" / "set") == files


def test_no_two_archives_have_one_place_and_none_that_of_the_workspaces_records(tmp_path: Path) -> None:
    unpacker = Unpacker(tmp_path / "data", tmp_path, ["images", "images-2", "set/train.csv", "set"])
    places = [
        unpacker.place_for("images", tmp_path / "images.zip", own=True),
        unpacker.place_for("images-2", tmp_path / "b" / "images.zip"),
        unpacker.place_for("images_1", tmp_path / "a" / "images_1.zip"),
        unpacker.place_for("Images_1", tmp_path / "b" / "Images_1.zip"),
        unpacker.place_for("set/train.csv", tmp_path / "set" / "train.csv.zip", own=True),
        unpacker.place_for("set", tmp_path / "set.zip", own=True),
        unpacker.place_for("layout.json", tmp_path / "layout.json.zip", own=True),
        unpacker.place_for("bundles", tmp_path / "bundles.zip", own=True),
        unpacker.place_of_bundle(tmp_path / "a" / "images.zip"),
        unpacker.place_of_bundle(tmp_path / "b" / "images.zip"),
        unpacker.place_of_bundle(tmp_path / ("x" * 200 + ".zip")),
    ]
    assert len({place.lower() for place in places}) == len(places)
    assert [place.startswith("bundles/") for place in places] == [False, True, False, *[True] * 8]
    assert [place.rpartition("/")[2] for place in places[4:7]] == ["train.csv", "set", "layout.json"]
    assert not any(one != other and f"{one}/".startswith(f"{other}/") for one in places for other in places)
    assert len(places[-1]) < 100
    assert places[8].endswith("/images")
    archive = write_archive(tmp_path / "x.zip", FILES)
    for name in ("layout.json", "Unpacked.json", "digest", ".lock/x"):
        with pytest.raises(UserError, match=f"x.zip cannot be unpacked to {name}, which the workspace keeps"):
            unpacker.unpack(name, archive, is_folder=True)


def test_an_archive_unpacked_otherwise_is_unpacked_again(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "set.zip", {"x/a/1.png": b"1"})
    unpacker = Unpacker(tmp_path / "data")
    for as_it_is, how, files in (
        (False, "unpacked", {"1.png": b"1"}),
        (True, "unpacked again", {"x/a/1.png": b"1"}),
        (True, "unpacked earlier", {"x/a/1.png": b"1"}),
        (False, "unpacked again", {"1.png": b"1"}),
    ):
        assert unpacker.unpack("set", archive, is_folder=True, as_it_is=as_it_is) == f"{how} from set.zip"
        assert held(tmp_path / "data" / "set") == files
    record = tmp_path / "data" / "unpacked.json"
    content = json.loads(record.read_text(encoding="utf-8"))
    del content["set"]["as_it_is"], content["digest"]  # as earlier versions wrote it
    record.write_text(json.dumps(content))
    for as_it_is in (False, True):
        assert unpacker.unpack("set", archive, is_folder=True, as_it_is=as_it_is) == "unpacked earlier from set.zip"
