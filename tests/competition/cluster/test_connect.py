import socket
import sys

import pytest

from competition.cluster.connect import connected
from competition.common.errors import UserError


def test_without_ray_the_extra_is_named(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match=r'pip install -e "\.\[cluster\]"'), connected():
        pass


@pytest.mark.parametrize("address", ["somewhere", "host:", "ray://host:10001"])
def test_an_address_that_is_none_is_refused(address) -> None:
    with pytest.raises(UserError, match="expected 'auto', or HOST:PORT") as refused, connected(address):
        pass
    assert address in str(refused.value)


def test_where_no_cluster_is_one_line_says_how_to_start_one() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(UserError, match="'ray start --head'") as refused, connected(address):
            pass
    assert address in str(refused.value)
    assert "\n" not in str(refused.value)
