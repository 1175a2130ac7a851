"""Downloads: they fail soon where there is no network."""

from __future__ import annotations

import socket
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import keras
import pytest

from models.backend import downloads
from models.backend.downloads import bounded, is_reached


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """No name is found, and nobody says so until the test is over."""
    over = threading.Event()

    def look_up(*_: object, **__: object) -> None:
        over.wait(20)
        raise OSError("no answer")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    monkeypatch.setattr(downloads, "PATIENCE", 0.1)
    yield over
    over.set()


def test_a_server_is_reached_where_somebody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        host = "127.0.0.1:{1}".format(*server.getsockname())
        assert is_reached(host)
    assert not is_reached(host)


def test_a_download_by_keras_fails_soon_and_names_the_file(away: threading.Event, tmp_path: Path) -> None:
    started = time.monotonic()
    with (
        bounded(),
        pytest.raises(Exception, match=r"URL fetch failure on https://nowhere\.example/a\.h5: .*not answer"),
    ):
        keras.utils.get_file("a.h5", "https://nowhere.example/a.h5", cache_dir=tmp_path)
    assert time.monotonic() - started < 5
    assert not list(tmp_path.rglob("*.h5"))


def test_what_follows_is_opened_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "is_reached", lambda host: asked.append(host) is not None)
    asked: list[str] = []
    with bounded(), pytest.raises(urllib.error.URLError, match="does not answer"):
        urllib.request.urlopen("https://127.0.0.1:9")
    assert asked == ["127.0.0.1:9"]
    with pytest.raises(urllib.error.URLError, match="refused"):
        urllib.request.urlopen("https://127.0.0.1:9")
    assert asked == ["127.0.0.1:9"]


@pytest.mark.parametrize("proxy", ["", "http://me:secret@proxy.example:3128"])
def test_a_hub_that_is_out_of_reach_is_not_asked_time_and_again(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = SimpleNamespace(HF_HUB_OFFLINE=False, ENDPOINT="https://hub.example")
    monkeypatch.setitem(sys.modules, "huggingface_hub.constants", hub)
    monkeypatch.setattr(urllib.request, "getproxies", lambda: {"https": proxy} if proxy else {})
    hosts = {"hub.example": False, "proxy.example:3128": True}
    monkeypatch.setattr(downloads, "is_reached", hosts.__getitem__)
    with bounded(with_hub=True):
        assert hub.HF_HUB_OFFLINE is not bool(proxy)
    assert hub.HF_HUB_OFFLINE is False
