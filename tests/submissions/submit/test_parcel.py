"""What is uploaded, checked before."""

import gzip
import os
from dataclasses import replace
from pathlib import Path

import pytest

from competition.common.errors import UserError
from competition.common.files import digest_file
from competition.common.text import readable
from competition.workspace import Workspace
from submissions.submit.parcel import check_message, pack
from submissions.submit.provenance import read_provenance
from tests.submissions.samples import planet


@pytest.fixture
def shared(written: Path) -> Workspace:
    """A workspace with the submission `first`. Not to be changed."""
    return Workspace(written, planet())


def test_a_parcel_is_the_file_and_what_is_known_of_it(shared: Workspace) -> None:
    path = shared.submissions / "first.csv"
    parcel = pack("first", shared)
    assert parcel.content == path.read_bytes()
    assert parcel.digest == digest_file(path)
    assert parcel.upload_name == f"first-{parcel.digest[:16]}.csv"
    assert parcel.text("planet") == f"{parcel.upload_name} ({readable(path.stat().st_size)}) to planet"
    entry, provenance = parcel.entry("a mean", "planet"), read_provenance(path)
    assert (entry.name, entry.marker, entry.size) == ("first", parcel.digest[:16], len(parcel.content))
    assert (entry.cross_fitted, entry.members) == (provenance["figures"][0]["cross_fitted"], ("a", "b"))


def test_compressed_it_is_the_same_submission(shared: Workspace) -> None:
    plain, packed = pack("first", shared), pack("first", shared, as_gzip=True)
    assert gzip.decompress(packed.content) == plain.content
    assert packed.content == pack("first", shared, as_gzip=True).content  # whenever it is made
    assert packed.upload_name == f"{plain.upload_name}.gz"
    assert packed.marker == plain.marker


def test_a_name_for_kaggle_is_short_and_plain(shared: Workspace) -> None:
    parcel = pack("first", shared)
    odd = replace(parcel, report=replace(parcel.report, path=Path("my blend, été!" + "x" * 100 + ".csv")))
    stem = odd.upload_name.removesuffix(f"-{parcel.marker}.csv")
    assert stem.startswith("my-blend-")
    assert len(stem) <= 60
    assert stem.isascii()


def test_without_a_name_it_is_the_one_written_last(submittable: Workspace) -> None:
    other = submittable.submissions / "other.csv"
    other.write_bytes((submittable.submissions / "first.csv").read_bytes())
    os.utime(other, (0, 0))
    assert pack(None, submittable).path.stem == "first"
    os.utime(other)
    assert pack(None, submittable).path.stem == "other"


def test_what_is_not_there_is_named_with_what_is(shared: Workspace, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"No submission .*frist\.csv\. Did you mean first\? In .* there are: first\."):
        pack("frist", shared)
    place = Workspace(tmp_path, planet())
    (place.submissions / "lost.csv").mkdir(parents=True)
    with pytest.raises(
        UserError, match=r'lost\.csv is no file\. Move it away\. To write .* run "python run\.py blend '
    ):
        pack("lost", place)
    (place.submissions / "lost.csv").rmdir()
    (place.submissions / "lost.json").touch()
    with pytest.raises(UserError, match=r'lost\.csv is gone\. To write .* run "python run\.py blend .* --name lost"'):
        pack("lost", place)
    with pytest.raises(UserError, match=r'No submissions in .*\. Run "python run\.py blend --members .*, or give'):
        pack(None, Workspace(tmp_path, planet()))


def test_a_file_is_held_to_what_was_asked_for(submittable: Workspace) -> None:
    path = submittable.submissions / "first.csv"
    path.write_text(path.read_text().replace("primary", "clear haze"))
    with pytest.raises(UserError, match="was changed after it was written"):
        pack("first", submittable)
    path.with_suffix(".json").unlink()
    with pytest.raises(UserError, match="more than one of clear, cloudy, haze, partly_cloudy"):
        pack("first", submittable)


@pytest.mark.parametrize("message", ["", "  ", "two\nlines", "\x1b[31mred"])
def test_a_message_is_one_line_of_text(message: str) -> None:
    with pytest.raises(UserError, match=r"--message: expected one line of text"):
        check_message(message)


def test_a_message_loses_the_space_around_it() -> None:
    assert check_message("  a mean ") == "a mean"
