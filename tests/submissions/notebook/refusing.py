"""Code to run first in a process that is to be as bare as a notebook on Kaggle."""

# What is there beside the standard library. Whatever else is imported is refused.
THERE = ["numpy", "PIL", "pydantic", "pydantic_core", "annotated_types", "typing_extensions", "typing_inspection"]
ALLOWED = [*THERE, "openvino", "competition", "folds", "models", "submissions"]
BEFORE = f"""
import sys
from importlib.abc import MetaPathFinder
class Refuse(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in sys.stdlib_module_names and top not in {ALLOWED!r} and not top.startswith("_"):
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Refuse())
"""
