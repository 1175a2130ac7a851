"""What dead processes left of what they were writing into a workspace, removed as the next one opens it."""

from __future__ import annotations

import os
from pathlib import Path

from competition.common.files import SAFE_SECONDS, TEMPORARY, remove_idle, remove_leftovers
from competition.workspace import Workspace


def sweep(workspace: Workspace) -> None:
    """Remove what dead processes left in a workspace under temporary names, as `remove_leftovers` does.

    Folders of chips, in which nothing is written under such names, are not looked into: that would take long. What an
    interrupted pull has brought goes too, where nobody has gone on with it.
    """
    remove_idle(workspace.root.glob(workspace.pulled.name), SAFE_SECONDS)
    for folder in (workspace.root, workspace.data):
        remove_leftovers(folder)
    written = (workspace.cache, workspace.runs, workspace.restarted.runs, workspace.blends, workspace.auto)
    for top in (*written, workspace.submissions):
        for place, folders, files in os.walk(top):
            if any(name.startswith(TEMPORARY) for name in (*folders, *files)):
                remove_leftovers(Path(place))
            folders[:] = [name for name in folders if not name.startswith(TEMPORARY)]
