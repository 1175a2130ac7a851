import os
from dataclasses import replace

import pytest

from competition.cluster import shared
from competition.cluster.shared import shared_word
from competition.common.errors import UserError


def test_a_word_is_read_where_the_folder_is_the_same_and_leaves_nothing(tmp_path) -> None:
    with shared_word(tmp_path) as word:
        word.check()
    assert not list(tmp_path.iterdir())


def test_another_folder_of_that_path_is_told(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(shared, "TRIES", 1)
    monkeypatch.setattr(shared.time, "sleep", lambda _: None)
    with shared_word(tmp_path / "here") as word:
        (tmp_path / "there").mkdir()
        with pytest.raises(UserError, match="all machines share"):
            replace(word, folder=tmp_path / "there").check()


def test_two_at_once_have_words_of_their_own_and_old_ones_go(tmp_path) -> None:
    old = tmp_path / shared.FOLDER / "old"
    old.parent.mkdir()
    old.write_text("old")
    os.utime(old, (0, 0))
    with shared_word(tmp_path) as one:
        with shared_word(tmp_path) as other:
            other.check()
        one.check()
        assert [path.name for path in old.parent.iterdir()] == [one.word]
