"""The demonstration of scenes: what is learnt on two made-up landscapes finds mines, roads and rivers on a third."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from competition.common.errors import spelled

BEGINS = "From three made-up scenes to a map. On two cores it takes about three minutes; Ctrl-C stops it."
MADE_UP = """These scenes are made up: the figures say that the chain works, not how well it would do.

With a scene of your own, and features of some of its ground:"""
OF_YOUR_OWN = (
    "scene chips --scene SCENE.tif --polygons FILE.geojson --negatives 500 --output mine",
    "data prepare --from mine --competition mine/competition.toml --workspace mine/workspace",
)

# Coarser than Planet's pixels, as more ground is drawn in the same time: 25 and 18 km along each side. Two are learnt from,
# as each has a light and a sky of its own.
LEARN, HELD_OUT = ("learn-1", "learn-2"), "held-out"
SIMULATE = {
    LEARN[0]: "scene simulate --size 2048 --metres-per-pixel 12 --seed 11",
    LEARN[1]: "scene simulate --size 2048 --metres-per-pixel 12 --seed 12 --later",
    HELD_OUT: "scene simulate --size 1536 --metres-per-pixel 12 --seed 14",
}
CHIPS = "scene chips --competition planet --size 64 --chip-metres 768 --block-metres 3072 --anywhere 1500"
TRAIN = (
    "folds --k 2",
    "train --models baseline --bands BGRN --input-size 32 --epochs 10 --batch-size 32",
)
RULE = "f0.5"


def chain(folder: Path) -> Iterator[list[str]]:
    """Yield the commands of the demonstration, each as its words; scenes and chips are made unless they are there."""
    scene = {name: folder / f"{name}.tif" for name in SIMULATE}
    truth = {name: folder / f"{name}.geojson" for name in SIMULATE}
    for name, command in SIMULATE.items():
        if not scene[name].is_file():
            yield [*command.split(), "--output", str(scene[name])]
    chips, scores, found = folder / "chips", folder / "scores", folder / "detections.gpkg"
    if not chips.is_dir():
        places = [word for name in LEARN for word in ("--scene", str(scene[name]), "--polygons", str(truth[name]))]
        yield [*CHIPS.split(), *places, "--output", str(chips)]
    here = ["--workspace", str(folder / "workspace"), "--competition", str(chips / "competition.toml")]
    yield ["data", "prepare", "--from", str(chips), *here]
    yield from ([*command.split(), *here] for command in TRAIN)
    # On yet another day the light is another one, which `match` makes up for.
    places = ["--scene", str(scene[HELD_OUT]), "--output", str(scores)]
    yield ["scene", "predict", "--model", "baseline", "--values", "match", *places, *here]
    rule = ["--rule", RULE, "--name", "baseline"]
    yield ["scene", "decide", "--scores", str(scores), *rule, "--output", str(found), *here]
    behind = ["--scene", str(scene[HELD_OUT]), "--output", str(folder / "map.html")]
    yield ["scene", "map", "--scores", str(scores), *rule, *behind, *here]
    page = ["--truth", str(truth[HELD_OUT]), "--output", str(folder / "evaluation.html")]
    yield ["scene", "evaluate", "--scores", str(scores), *rule, *page, *here]


def demo_text(folder: Path) -> str:
    """Return what the demonstration has made, and the next commands."""
    made = {
        "map.html": "the map, to look at and to move its cuts, in any browser",
        "detections.gpkg": "regions with a label, an area and a date, for any GIS",
        "evaluation.html": "how much of the truth is found, label by label",
    }
    width = max(map(len, made))
    files = [f"  {folder / name!s:<{len(str(folder)) + 1 + width}}  {what}" for name, what in made.items()]
    return "\n".join([*files, MADE_UP, *(f"  {spelled(command)}" for command in OF_YOUR_OWN)])
