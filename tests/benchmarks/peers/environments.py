"""The peers, what each is installed from, and the environments that they run in, each of its own."""

from __future__ import annotations

import subprocess
import venv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

TORCH = "torch==2.13.0"  # of the versions that all peers can do with, so that none is ahead by it
INSTALLED = "installed.txt"  # written last


@dataclass(frozen=True)
class Peer:
    """A way of making scores of features.

    Attributes:
        name: what is shown.
        module: of this package, that runs it.
        environment: the name of its environment; none: the one this runs in.
        requirements: what is installed into that.
        variants: ways of using it; the word "pca" reduces the features first.
        has_limit: whether it keeps to a limit of seconds by itself, more or less; otherwise it is stopped.
    """

    name: str
    module: str
    environment: str
    requirements: tuple[str, ...]
    variants: tuple[str, ...]
    has_limit: bool = True


SKLEARN = "with_sklearn", "sklearn", ("scikit-learn==1.9.1",)
OURS = Peer("ours", "ours", "", (), ("engine",))
PEERS = (
    OURS,
    Peer(
        "LightAutoML",
        "with_lightautoml",
        "lightautoml",
        (TORCH, "lightautoml==0.4.2"),
        ("auto", "demo", "pca-auto", "pca-demo"),
    ),
    Peer(
        "AutoGluon",
        "with_autogluon",
        "autogluon",
        (TORCH, "autogluon.tabular[all]==1.6.3"),
        ("whole", "pca", "pca-chained"),
    ),
    Peer("FLAML", "with_flaml", "flaml", ("flaml[automl]==2.7.0",), ("whole", "pca")),
    Peer("logistic regressions", *SKLEARN, ("logistic", "logistic-pca"), has_limit=False),
    Peer("classifier chains", *SKLEARN, ("chains", "chains-pca"), has_limit=False),
    Peer(
        "TabM",
        "with_tabm",
        "tabm",
        (TORCH, "tabm==0.0.3", "scikit-learn==1.9.1"),
        ("whole", "pca", "pca-embedded", "pca-small"),
    ),
)


def python_of(peer: Peer, root: Path, here: str, say: Callable[[str], None]) -> str:
    """Return the Python of a peer's environment, which is made if it is not there.

    Args:
        peer: whose.
        root: folder of all environments.
        here: the Python that runs this.
        say: shows a line.

    Raises:
        CalledProcessError: if pip cannot install it.
    """
    if not peer.environment:
        return here
    folder, wanted = root / peer.environment, "\n".join(peer.requirements)
    python, marker = folder / "bin" / "python", folder / INSTALLED
    if not marker.is_file() or marker.read_text(encoding="utf-8") != wanted:
        say(f"Installing {', '.join(peer.requirements)} into {folder}.")
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *peer.requirements], check=True)
        marker.write_text(wanted, encoding="utf-8")
    return str(python)
