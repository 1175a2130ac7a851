"""What the backend computes on: one file knows which backends there are."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import keras
import pytest

import models
from models.backend.devices import jit_compile, num_gpus

BACKENDS = re.compile(r"\b(tensorflow|jax|torch)\b")
# What runs networks elsewhere, or writes them for elsewhere, knows which backend it can take them from.
NAMED_IN = {
    *(f"backend/{name}.py" for name in ("devices", "load", "made", "runners")),
    *(f"foreign/{name}.py" for name in ("backbone", "modules", "weights")),
    "backend/onnx_graph.py",
    "graphs/torch_source.py",
}


def code_words(path: Path) -> set[str]:
    """Return the modules that a file imports, and the texts that it compares with or passes on."""
    words: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            words |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            words.add(node.module or "")
        elif isinstance(node, ast.Compare | ast.Call):
            parts = [*node.comparators] if isinstance(node, ast.Compare) else node.args
            words |= {part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str)}
    return words


def test_backends_are_named_in_few_places():
    root = Path(models.__file__).parent
    words = {path.relative_to(root).as_posix(): code_words(path) for path in root.rglob("*.py")}
    assert {path for path, found in words.items() if any(BACKENDS.search(word) for word in found)} == NAMED_IN


@pytest.mark.skipif(keras.backend.backend() != "tensorflow" or num_gpus() > 0, reason="of TensorFlow on a CPU")
def test_on_a_cpu_tensorflow_does_not_compile_by_xla():
    assert jit_compile() is False
