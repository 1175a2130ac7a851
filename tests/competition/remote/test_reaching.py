from __future__ import annotations

from pathlib import Path

import pytest

from competition.common.errors import UserError
from competition.common.text import without_secrets
from competition.remote.reaching import MissingError, is_url, reaching


@pytest.mark.parametrize("url", ["sftp://me:secret@host/x", "https://host/x?X-Amz-Signature=secret&b=c"])
def test_no_secret_is_shown(url: str) -> None:
    assert "secret" not in without_secrets(f"GET {url} failed")
    with pytest.raises(UserError) as refused, reaching(without_secrets(url)):
        raise RuntimeError(f"403 for {url}\nwith more")
    assert "secret" not in str(refused.value)
    assert "host/x" in str(refused.value)


def test_urls_are_told_from_folders() -> None:
    assert [is_url(text) for text in ("s3://a", "memory://", "zip::a", "C:\\a", "a/b", "/a", "~/x")] == [
        *[True] * 3,
        *[False] * 4,
    ]


def test_a_file_where_a_folder_is_needed_is_named(tmp_path: Path) -> None:
    (tmp_path / "pushes").write_text("")
    for act in ((tmp_path / "pushes").mkdir, (tmp_path / "pushes/a/b").stat):
        with (
            pytest.raises(UserError, match=r"/pushes is a file, where a folder is needed: move it away"),
            reaching("url"),
        ):
            act()


def test_what_is_not_there_is_told_from_what_fails() -> None:
    with pytest.raises(MissingError, match=r"url is not there\."), reaching("url"):
        raise FileNotFoundError("url")
