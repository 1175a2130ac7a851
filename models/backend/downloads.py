"""Downloads of weights, which libraries make: where there is no network, or it falls silent, they fail within seconds.

None of them bounds how long it tries: each of a server's many addresses is waited for, by the hub time and again.
"""

from __future__ import annotations

import http.client
import socket
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

PATIENCE = 5.0  # seconds for a server to be reached, its name looked up included
SILENCE = 30.0  # seconds in which one that sends a file may send nothing
HTTPS = 443


class _Bounded(urllib.request.HTTPSHandler):
    """Asks a server only if it is within reach."""

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        """Open an address, as urllib does."""
        if not is_reached(req.host):  # of a proxy, where there is one
            raise urllib.error.URLError(f"{req.host} does not answer")
        req.timeout = SILENCE
        return super().https_open(req)


@contextmanager
def bounded(*, with_hub: bool = False) -> Iterator[None]:
    """Let downloads within the block fail soon: those by urllib, which Keras and torch use.

    Args:
        with_hub: also those from Hugging Face's hub. Where it is out of reach, what it has brought before is taken.
    """
    hub: Any = sys.modules.get("huggingface_hub.constants") if with_hub else None
    is_offline = bool(hub and hub.HF_HUB_OFFLINE)
    urllib.request.install_opener(urllib.request.build_opener(_Bounded()))
    try:
        if hub:
            hub.HF_HUB_OFFLINE = is_offline or not is_reached(_door_to(hub.ENDPOINT))
        yield
    finally:
        urllib.request.install_opener(urllib.request.build_opener())  # as urllib makes its own
        if hub:
            hub.HF_HUB_OFFLINE = is_offline


def is_reached(host: str) -> bool:
    """Whether a server takes a connection within `PATIENCE` seconds.

    Args:
        host: its name, perhaps with a port.
    """
    name, _, port = host.partition(":")
    reached = threading.Event()

    def reach() -> None:
        with suppress(OSError, ValueError):
            socket.create_connection((name, int(port or HTTPS)), PATIENCE).close()
            reached.set()

    knock = threading.Thread(target=reach, daemon=True)  # nothing else bounds how long a name is looked up
    knock.start()
    knock.join(PATIENCE)
    return reached.is_set()


def _door_to(url: str) -> str:
    """Return the host that is connected to for a URL: its own, or that of a proxy."""
    host = urlsplit(url).netloc
    proxy = urllib.request.getproxies().get("https")
    return urlsplit(proxy).netloc.rpartition("@")[2] if proxy and not urllib.request.proxy_bypass(host) else host
