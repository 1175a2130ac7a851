"""Which modules a notebook needs."""

from __future__ import annotations

from pathlib import Path

from competition.kernels.sources import ROOT, copy_sources, sources_of


def test_what_is_imported_is_found_down_to_the_last_module() -> None:
    files = set(map(str, sources_of(["models.inputs.views"])))
    assert files == {
        "competition/__init__.py",
        "competition/common/__init__.py",
        "competition/common/errors.py",
        "competition/common/text.py",
        "models/__init__.py",
        "models/inputs/__init__.py",
        "models/inputs/views.py",
        "models/recipes/__init__.py",
        "models/recipes/view_sets.py",
    }


def test_what_is_for_types_or_for_functions_is_not_needed() -> None:
    files = set(map(str, sources_of(["submissions.combine.vote"])))
    assert "submissions/decide/decisions.py" in files
    assert "submissions/decide/rules.py" not in files


def test_they_are_copied_as_they_are(tmp_path: Path) -> None:
    files = copy_sources(["competition.task"], tmp_path)
    assert sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*.py")) == files
    assert (tmp_path / "competition/task.py").read_bytes() == (ROOT / "competition/task.py").read_bytes()
