"""The rooms and the arrows between them: imports go one way."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ALLOWED = {
    "competition": set(),
    "folds": {"competition"},
    "models": {"competition", "folds"},
    "submissions": {"competition", "folds"},
}
KERAS = {"keras", "tensorflow", "jax", "torch"}


def imported_by(path: Path) -> set[str]:
    """Return the top-level packages that a file imports anywhere in it."""
    packages = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            packages |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            packages.add(node.module.split(".")[0])
    return packages


@pytest.mark.parametrize("room", ALLOWED)
def test_a_room_imports_only_the_rooms_before_it(room: str) -> None:
    files = list((ROOT / room).glob("*.py"))
    assert files
    for path in files:
        strangers = imported_by(path) & ALLOWED.keys() - ALLOWED[room] - {room}
        assert not strangers, f"{path} imports {strangers}"


@pytest.mark.parametrize("room", sorted(ALLOWED.keys() - {"models"}))
def test_only_models_knows_networks(room: str) -> None:
    for path in (ROOT / room).glob("*.py"):
        assert not imported_by(path) & KERAS, path


def test_nothing_stands_at_the_top_but_what_the_project_names() -> None:
    known = {*ALLOWED, "tests", "run.py", "pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md"}
    ignored = {"workspace", "requirements.lock"}
    found = {path.name for path in ROOT.iterdir() if not path.name.startswith(".") and path.suffix != ".egg-info"}
    assert found - ignored - {"__pycache__", "build"} <= known
