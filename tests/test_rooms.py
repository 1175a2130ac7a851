"""The rooms, the rooms within them, and the arrows between them: imports go one way."""

import ast
import functools
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = {
    "competition": set(),
    "folds": {"competition"},
    "models": {"competition", "folds"},
    "submissions": {"competition", "folds"},
}
KERAS = {"keras", "tensorflow", "jax", "torch"}

# What each place may import of its own room, besides itself. A place is a sub-room or a module beside the sub-rooms,
# which as a group are written as the room's name.
BASE = {"competition.common", "competition.terminal"}
TABLES = {"competition.spec", *BASE}
FACE = {"competition", "competition.index", "competition.remote", "competition.tables", "competition.metrics", *TABLES}
CHIPS = {"competition.data", *FACE}
RECIPES = {"models.recipes", "models.backend"}
NETWORKS = {"models.networks", "models.foreign", "models.runs", *RECIPES}
INPUTS = {"models.graphs", *NETWORKS}
HEADS = {"models.inputs", *INPUTS}
PREDICT = {"models.heads", *HEADS}
TRAINED = {"models.predict", *PREDICT}
NAMES = {"submissions.names"}
DECIDE = {"submissions.measure", *NAMES}
COMBINE = {"submissions.decide", "submissions.members", *DECIDE}
PLACES = {
    "competition.common": set(),
    "competition.terminal": {"competition.common"},
    "competition.cluster": {"competition.common"},
    "competition.spec": BASE,
    "competition.tables": TABLES,
    "competition.metrics": TABLES,
    "competition.index": {"competition.tables", *TABLES},
    "competition": FACE,
    "competition.data": FACE,
    "competition.copies": CHIPS,
    "competition.checks": {"competition.copies", *CHIPS},
    "competition.simulator": CHIPS,
    "competition.landscape": {"competition.gdal", "competition.simulator", *CHIPS},
    "competition.gdal": {"competition.data", "competition.remote", *BASE},
    "competition.scenes": {"competition.gdal", *CHIPS},
    "competition.layouts": {"competition.tables", *TABLES},
    "competition.remote": BASE,
    "competition.tracking": FACE,
    "competition.artefacts": CHIPS,
    "competition.survey": CHIPS,
    "competition.init": {"competition.survey", *CHIPS},
    "competition.scene_chips": {"competition.gdal", "competition.scenes", *CHIPS},
    "competition.kaggle": CHIPS,
    "competition.kernels": FACE,
    "competition.verbs": {
        "competition.artefacts",
        "competition.copies",
        "competition.checks",
        "competition.simulator",
        "competition.landscape",
        "competition.layouts",
        "competition.survey",
        "competition.init",
        "competition.kaggle",
        *CHIPS,
    },
    "folds.dealing": set(),
    "folds.store": {"folds.dealing"},
    "folds": {"folds.dealing", "folds.store"},
    "folds.verbs": {"folds"},
    "models.recipes": set(),
    "models.backend": set(),
    "models.runs": RECIPES,
    "models.foreign": RECIPES,
    "models.networks": {"models.foreign", *RECIPES},
    "models.graphs": NETWORKS,
    "models.inputs": INPUTS,
    "models.predict": PREDICT,
    "models.heads": HEADS,
    "models.linear": HEADS,
    "models.shift": {"models.linear", *HEADS},
    "models.train": {"models.linear", *TRAINED},
    "models.export": TRAINED,
    "models.notebook": TRAINED,
    "models.stream": {"models.export", *TRAINED},
    "models.scenes": {"models.stream", "models.export", *TRAINED},
    "models.plan": HEADS,
    "models.auto": {"models.plan", "models.train", *TRAINED},
    "models.tune": {"models.train", *TRAINED},
    "models.how": {"models.runs", *RECIPES},
    "models.artefacts": INPUTS | {"models.inputs"},
    "models.cluster": {"models.train", *TRAINED},
    "models.verbs": {"models.cluster", "models.stream", "models.tune", "models.train", "models.linear", *TRAINED},
    "submissions.names": set(),
    "submissions.flags": NAMES,
    "submissions.measure": NAMES,
    "submissions.members": NAMES,
    "submissions.decide": DECIDE,
    "submissions.combine": COMBINE,
    "submissions.choose": {"submissions.combine", *COMBINE},
    "submissions.submit": {"submissions.decide", "submissions.members", *DECIDE},
    "submissions.final": {"submissions.decide", "submissions.members", "submissions.submit", *DECIDE},
    "submissions.shares": {"submissions.members", "submissions.submit", *DECIDE},
    "submissions.shift": {"submissions.final", "submissions.choose", "submissions.submit", *COMBINE},
    "submissions.evidence": {"submissions.choose", "submissions.combine", "submissions.submit", *COMBINE},
    "submissions.report": {
        "submissions.evidence",
        "submissions.choose",
        "submissions.combine",
        "submissions.submit",
        *COMBINE,
    },
    "submissions.regions": set(),
    "submissions.map": {"submissions.regions", "submissions.choose", *COMBINE},
    "submissions.change": {"submissions.map", "submissions.regions", *COMBINE},
    "submissions.truth": {"submissions.map", "submissions.regions", "submissions.report"},
    "submissions.map_page": {"submissions.map", "submissions.regions", "submissions.report", *COMBINE},
    "submissions.notebook": {"submissions.choose", "submissions.combine", "submissions.submit", *COMBINE},
    "submissions.push": {"submissions.submit", *DECIDE},
    "submissions.notebook.verbs": {"submissions.notebook", "submissions.push"},
    "submissions.pseudo": {"submissions.evidence", "submissions.choose", "submissions.combine", *COMBINE},
    "submissions.share": {"submissions.choose", *COMBINE},
    "submissions.workspace_verbs": {"submissions.share", *NAMES},
    "submissions.demo": {"submissions.members"},
    "submissions.artefacts": {"submissions.choose", "submissions.push", "submissions.submit", *COMBINE},
    "submissions.best_so_far": {"submissions.choose", "submissions.combine", "submissions.submit", *COMBINE},
    "submissions.submission_verbs": {
        "submissions.submit",
        "submissions.push",
        "submissions.final",
        "submissions.shares",
        "submissions.shift",
        "submissions.flags",
        *DECIDE,
    },
    "submissions.verbs": {
        "submissions.submission_verbs",
        "submissions.map",
        "submissions.change",
        "submissions.truth",
        "submissions.map_page",
        "submissions.choose",
        "submissions.combine",
        "submissions.submit",
        "submissions.shift",
        "submissions.flags",
        *COMBINE,
    },
}
# Modules whose tests are in another file than the like-named one, and where.
TESTED_IN: dict[str, str] = {
    "competition.artefacts.data": "test_artefacts.py",
    "competition.artefacts.looked": "test_artefacts.py",
    "competition.artefacts.report": "test_artefacts.py",
    "folds.artefacts": "test_artefacts.py",
    "models.artefacts": "test_artefacts.py",
    "models.inputs.bank_files": "models/inputs/test_feature_bank.py",
    "submissions.truth.evaluation": "submissions/truth/test_evaluate.py",
    "submissions.artefacts": "test_artefacts.py",
    "competition.copies.pairs": "competition/checks/test_duplicates.py",
    "competition.copies.prints": "competition/checks/test_duplicates.py",
    "competition.data.extraction": "competition/data/test_archives.py",
    "competition.flags": "test_chain.py",
    "competition.kaggle.answers": "submissions/submit/test_upload.py",
    "competition.kaggle.client": "submissions/submit/test_upload.py",
    "competition.kaggle.connection": "submissions/submit/test_upload.py",
    "competition.kaggle.errors": "submissions/submit/test_upload.py",
    "competition.kaggle.notebooks": "submissions/push/test_push.py",
    "competition.kaggle.transfer": "competition/kaggle/test_download.py",
    "competition.layouts.delivery": "competition/layouts/test_simulate.py",
    "competition.scene_chips.verbs": "competition/scene_chips/test_cut.py",
    "competition.simulator.canvas": "competition/simulator/test_render.py",
    "competition.simulator.palette": "competition/simulator/test_render.py",
    "competition.simulator.scene": "competition/simulator/test_render.py",
    "competition.simulator.scenery": "competition/simulator/test_render.py",
    "competition.tracking.flag": "competition/tracking/test_tracker.py",
    "competition.verbs": "test_chain.py",
    "folds.verbs": "test_chain.py",
    "models.auto.chooser": "models/auto/test_auto.py",
    "models.auto.command": "test_auto.py",
    "models.backend.openvino": "models/backend/test_runners.py",
    "models.backend.onnx_graph": "models/export/test_formats.py",
    "models.graphs.compose": "models/graphs/test_made.py",
    "models.foreign.outputs": "models/graphs/test_made.py",
    "models.graphs.pixels": "models/graphs/test_made.py",
    "models.export.whole": "models/graphs/test_extractor.py",
    "models.export.keras_file": "models/export/test_formats.py",
    "models.export.onnx_file": "models/export/test_formats.py",
    "models.export.openvino_file": "models/export/test_formats.py",
    "competition.remote.notes": "models/stream/test_output.py",
    "models.stream.command": "models/stream/test_predict_on_ray.py",
    "models.notebook.packed": "models/notebook/test_packing.py",
    "submissions.notebook.verbs": "submissions/notebook/test_make.py",
    "submissions.push.verbs": "submissions/push/test_push.py",
    "submissions.notebook.fitted": "submissions/notebook/test_answers.py",
    "submissions.notebook.known": "submissions/notebook/test_make.py",
    "submissions.notebook.plan": "submissions/notebook/test_answers.py",
    "models.predict.load_networks": "models/predict/test_trained_model.py",
    "models.tune.work": "models/tune/test_tune.py",
    "models.verbs": "test_chain.py",
    "submissions.pseudo.verbs": "submissions/pseudo/test_make.py",
    "submissions.submission_verbs": "submissions/submit/test_upload.py",
    "submissions.workspace_verbs": "submissions/share/test_pull.py",
    "submissions.share.moved": "submissions/share/test_push.py",
    "submissions.share.sides": "submissions/share/test_pull.py",
    "submissions.evidence.given": "submissions/evidence/test_evidence.py",
    "submissions.evidence.members": "submissions/report/test_member_pictures.py",
}


@functools.cache
def modules() -> dict[str, Path]:
    """Return every module of the rooms, by its dotted name."""
    paths = (path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py")) if path.name != "__init__.py")
    return {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in paths}


def imports_of(path: Path) -> Iterator[str]:
    """Yield the dotted names that a file imports anywhere in it: modules, and what is taken from them."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def modules_imported_by(path: Path) -> set[str]:
    """Return the modules of the rooms that a file imports."""
    found = set()
    for name in imports_of(path):
        if name.split(".")[0] in ROOMS:
            known = [name, name.rpartition(".")[0]]
            found |= {next((module for module in known if module in modules()), name)}
    return found


def place_of(module: str) -> str:
    """Return the place of a module: its own name where `PLACES` knows that, or else its folder's."""
    return module if module in PLACES else module.rpartition(".")[0]


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_the_rooms_before_it(room: str) -> None:
    inside = {module: path for module, path in modules().items() if module.split(".")[0] == room}
    assert len(inside) >= 5
    for module, path in inside.items():
        strangers = {name.split(".")[0] for name in imports_of(path)} & ROOMS.keys() - ROOMS[room] - {room}
        assert not strangers, f"{module} imports {strangers}"


@pytest.mark.parametrize("place", PLACES)
def test_a_room_within_a_room_imports_only_those_below_it(place: str) -> None:
    inside = {module: path for module, path in modules().items() if place_of(module) == place}
    assert inside, f"{place} has no modules"
    for module, path in inside.items():
        for imported in modules_imported_by(path):
            other = place_of(imported)
            if other.split(".")[0] == place.split(".", maxsplit=1)[0]:
                assert other == place or other in PLACES[place], f"{module} imports {imported}"


def test_every_module_has_its_place() -> None:
    assert {place_of(module) for module in modules()} <= PLACES.keys()


def test_no_import_goes_in_a_circle() -> None:
    left = {module: modules_imported_by(path) - {module} for module, path in modules().items()}
    while leaves := {module for module, imported in left.items() if not imported & left.keys()}:
        left = {module: imported for module, imported in left.items() if module not in leaves}
    assert not left, f"circles among {sorted(left)}"


@pytest.mark.parametrize("room", sorted(ROOMS.keys() - {"models"}))
def test_only_models_knows_networks(room: str) -> None:
    for module, path in modules().items():
        if module.split(".")[0] == room:
            assert not {name.split(".")[0] for name in imports_of(path)} & KERAS, module


def test_rooms_are_small_enough_to_be_known_by_heart() -> None:
    sizes = Counter(module.rpartition(".")[0] for module in modules() if module.count(".") == 2)
    assert {room: size for room, size in sizes.items() if not 3 <= size <= 9} == {}
    long = {module: lines for module, path in modules().items() if (lines := len(path.read_text().splitlines())) > 300}
    assert long == {}
    assert len((ROOT / "run.py").read_text().splitlines()) < 220


def functions_of(path: Path) -> Iterator[ast.FunctionDef]:
    """Yield every function and method of a file."""
    yield from (
        node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.FunctionDef)
    )


def lines_of_code(function: ast.FunctionDef) -> int:
    """Return how many lines a function has, without its docstring and blank lines."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return sum(1 + statement.end_lineno - statement.lineno for statement in body)


def test_functions_are_short_and_take_few_arguments() -> None:
    for module, path in modules().items():
        for function in functions_of(path):
            where = f"{module}.{function.name}"
            assert lines_of_code(function) <= 40, f"{where}: {lines_of_code(function)} lines"
            arguments = function.args.posonlyargs + function.args.args + function.args.kwonlyargs
            given = [argument for argument in arguments if argument.arg not in ("self", "cls")]
            # The arguments of a verb are its flags.
            assert len(given) <= 8 or module.endswith("verbs"), f"{where}: {len(given)} arguments"


def test_commands_are_written_in_one_place() -> None:
    for module, path in modules().items():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
        docs = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, documented) and ast.get_docstring(node)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
                assert "python run.py" not in node.value or module == "competition.common.errors", (
                    f"{module}:{node.lineno}"
                )


def test_every_module_has_a_test_file_of_its_name() -> None:
    def has_own(module: str) -> bool:
        folder, _, name = module.rpartition(".")
        return (ROOT / "tests" / folder.replace(".", "/") / f"test_{name}.py").is_file()

    without = {module for module in modules() if not has_own(module)}
    assert without == TESTED_IN.keys(), "name in TESTED_IN where these are tested, or take out what has its own now"
    for module, tests in TESTED_IN.items():
        path = ROOT / "tests" / tests
        assert path.is_file(), f"{module}: no {tests}"


def test_tests_lie_where_what_they_test_lies() -> None:
    folders = {path.parent.relative_to(ROOT / "tests") for path in (ROOT / "tests").rglob("test_*.py")}
    of_all_rooms = {"faults"}  # what becomes of the whole chain when it is disturbed
    assert {str(folder) for folder in folders if not (ROOT / folder).is_dir()} <= of_all_rooms


def test_the_readme_shows_the_rooms_by_their_captions() -> None:
    shown, within = dict[str, str](), ""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for indent, name, caption in re.findall(r"^( *)(\w+/) {2,}(.+)$", readme, re.M):
        within = within if indent else name
        shown[within + name if indent else name] = caption
    for path in sorted(path for room in ROOMS for path in (ROOT / room).rglob("__init__.py")):
        caption = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
        room = path.parent.relative_to(ROOT)
        assert caption, room
        assert "\n" not in caption, f"{room}: one line"
        assert shown.get(f"{room}/") == caption, room


def map_of_files() -> str:
    """Return every file by the first line of its docstring, as CONTRIBUTING.md shows them."""
    lines = []
    for folder in dict.fromkeys(path.parent for path in modules().values()):
        lines.append(f"{folder.relative_to(ROOT)}/")
        inside = [path for path in modules().values() if path.parent == folder]
        for path in inside:
            caption = (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").splitlines()[0]
            lines.append(f"  {path.name:<20} {caption}")
    return "\n".join(lines)


def test_every_file_is_shown_by_what_it_says_of_itself() -> None:
    shown = re.search(r"<!-- map -->\n```\n(.*?)\n```", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.S)
    assert shown
    assert shown[1] == map_of_files(), "python -m tests.test_rooms writes it anew"


def write_map() -> None:
    """Write the map of files into CONTRIBUTING.md."""
    path = ROOT / "CONTRIBUTING.md"
    text = path.read_text(encoding="utf-8")
    new = f"<!-- map -->\n```\n{map_of_files()}\n```"
    path.write_text(re.sub(r"<!-- map -->\n```\n.*?\n```", lambda _: new, text, flags=re.S), encoding="utf-8")


def test_nothing_stands_at_the_top_but_what_the_project_names() -> None:
    known = {*ROOMS, "tests", "run.py", "pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md"}
    ignored = {"workspace", "requirements.lock"}
    found = {path.name for path in ROOT.iterdir() if not path.name.startswith(".") and path.suffix != ".egg-info"}
    assert found - ignored - {"__pycache__", "build"} <= known


if __name__ == "__main__":
    write_map()
