"""The modules of this project that a notebook needs, found by their imports, and copied as they are.

A notebook does not install the project: its floors are those of whoever trains, and Kaggle's image has older packages.
"""

from __future__ import annotations

import ast
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
ROOMS = ("competition", "folds", "models", "submissions")


def sources_of(entries: Sequence[str]) -> list[Path]:
    """Return the files that some modules need, within the project's folder, sorted.

    What a function imports when it runs is not looked at: name such modules too, if it is to run.

    Args:
        entries: dotted names of modules.
    """
    wanted, files = list(entries), set[Path]()
    while wanted:
        parts = wanted.pop().split(".")
        path = Path(*parts).with_suffix(".py")
        if path in files:
            continue
        files.add(path)
        files |= {Path(*parts[:length], "__init__.py") for length in range(1, len(parts))}
        wanted += _imported_by(ROOT / path)
    return sorted(files)


def copy_sources(entries: Sequence[str], folder: Path) -> list[Path]:
    """Copy what some modules need to a folder, and return the paths within it."""
    files = sources_of(entries)
    for path in files:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, folder / path)
    return files


def _imported_by(path: Path) -> Iterator[str]:
    """Yield the project's modules that a file imports as it is loaded."""
    for node in _run_at_once(ast.parse(path.read_text(encoding="utf-8")).body):
        names = [alias.name for alias in node.names]
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{name}" for name in names)]
        for name in names:
            if name.split(".")[0] in ROOMS and (ROOT / Path(*name.split("."))).with_suffix(".py").is_file():
                yield name


def _run_at_once(body: Sequence[ast.stmt]) -> Iterator[ast.Import | ast.ImportFrom]:
    """Yield the imports of a module that are run when it is loaded: not those for types, nor those in functions."""
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, ast.If) and "TYPE_CHECKING" not in ast.dump(node.test):
            yield from _run_at_once([*node.body, *node.orelse])
        elif isinstance(node, ast.Try):
            yield from _run_at_once([*node.body, *node.orelse, *node.finalbody])
