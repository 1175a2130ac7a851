"""Which chips stay together in a fold: those of one block, and those of other blocks and scenes that see the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from competition.gdal.imports import import_map
from competition.scene_chips.blocks import RIM, Blocks
from competition.scene_chips.places import Place


def keep_together(places: Sequence[Place], blocks: Sequence[Blocks]) -> list[Place]:
    """Return chips of which those that share ground have one group, from whichever scenes they are.

    Chips that stand out of their block join it with the one beside, if any chip there sees the same.

    Args:
        places: of all scenes.
        blocks: of each of these.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    if not places:
        return []
    shapely, of_scene = import_map("shapely"), {each.scene: each for each in blocks}
    outlines = np.concatenate([of_scene[place.scene].outlines([place.window], RIM) for place in places])
    shapes = shapely.make_valid(shapely.polygons(outlines))
    names, group = np.unique([place.group for place in places], return_inverse=True)
    one, other = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    one, other = (each[group[one] < group[other]] for each in (one, other))
    shares = shapely.area(shapely.intersection(shapes[one], shapes[other])) > 0
    edges = group[one[shares]], group[other[shares]]
    graph = csr_array((np.ones(len(edges[0]), dtype=np.int8), edges), shape=(len(names), len(names)))
    _, joined = connected_components(graph, directed=False)
    _, first = np.unique(joined, return_index=True)
    return [
        replace(place, group=str(names[first[joined[number]]])) for place, number in zip(places, group, strict=True)
    ]
