"""The page: scene, scores and cuts in one file that opens from the disk and asks for nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from competition.common.errors import UserError
from competition.common.files import write_text
from competition.common.progress import reporter
from competition.common.text import counted, readable
from competition.scenes.scene import Scene
from competition.scenes.score_raster import ScoreRaster
from submissions.map.decide import chosen
from submissions.map.rules import MapRule
from submissions.map_page.picture import picture_of
from submissions.map_page.planes import content_of
from submissions.report.pages import asset, rendered

PACKAGE = "submissions.map_page"
AT_MOST = 2000  # detections in the list
CLOSE = 0.02  # of a side, by which a scene's may differ from that of the scores


@dataclass(frozen=True)
class MapPage:
    """A page that was written.

    Attributes:
        path: of the file.
        size: of it, in bytes.
        num_labels: that it shows.
        remarks: lines to read with it.
    """

    path: Path
    size: int
    num_labels: int
    remarks: tuple[str, ...]

    def text(self) -> str:
        """Return what was written, for people."""
        wrote = f"Wrote {self.path}, for any browser: {readable(self.size)}, {counted(self.num_labels, 'label')}."
        return "\n".join([*self.remarks, wrote])

    def as_dict(self) -> dict[str, Any]:
        """Return the same as values for JSON."""
        return {"path": str(self.path), "size": self.size, "labels": self.num_labels, "remarks": list(self.remarks)}


def write_map(
    raster: ScoreRaster,
    rule: MapRule,
    path: Path,
    *,
    scene: Scene | None = None,
    labels: Sequence[str] | None = None,
    smallest_ha: float = 0.0,
) -> MapPage:
    """Write a map as a page.

    Args:
        raster: of the scores.
        rule: whose cuts the page begins with.
        path: of the page.
        scene: that lies behind the scores; None: nothing does.
        labels: that are wanted; None: all.
        smallest_ha: least area of a region in hectares, to begin with.

    Raises:
        UserError: if the rule has no cuts, the scene is another one, or the raster is damaged or lacks a label.
    """
    if not rule.cuts:
        raise UserError(f"A page decides by cuts, and {rule.title} has none. Give another --rule.")
    if scene is not None:
        _check_scene(scene, raster)
    asked, scored = chosen(raster, labels), raster.scored
    with reporter.busy("drawing the map"):
        content = content_of(raster, rule, asked)
        content |= {"picture": None if scene is None else picture_of(scene), "smallest": smallest_ha, "most": AT_MOST}
    remarks = []
    if scene is None:
        remarks.append("Nothing lies behind the scores: give the scene by --scene.")
    if (factor := content["factor"]) > 1:
        remarks.append(f"{factor} x {factor} cells are shown as one, by the highest score: areas are larger so.")
    if scored.bits > 8:
        remarks.append("Scores are shown in steps of 1/254: regions near a cut may differ from those of scene decide.")
    where = {"title": scored.scene, "date": scored.date, "model": scored.model, "rule": rule.title}
    leaflet = {"leaflet_style": _leaflet("leaflet.css"), "leaflet": _leaflet("leaflet.js")}
    own = {"own_style": asset("page.css", PACKAGE), "script": asset("page.js", PACKAGE)}
    text = rendered("map.html", {**where, **leaflet, **own, "data": content, "remarks": remarks}, PACKAGE)
    write_text(path, text)
    return MapPage(path, len(text.encode()), len(asked), tuple(remarks))


def _leaflet(name: str) -> Markup:
    """Return a file of Leaflet without what it would ask a server for."""
    asked = r"(?m)^.*url\(.*$" if name.endswith(".css") else r"//# sourceMappingURL=.*"
    return Markup(re.sub(asked, "", asset(f"leaflet/{name}", PACKAGE)))


def _check_scene(scene: Scene, raster: ScoreRaster) -> None:
    """Refuse a scene that is not the one of the scores: it would lie elsewhere than they say."""
    grid = raster.scored.grid
    ratio = scene.width / scene.height / (grid.width / grid.height)
    here = [scene.transform[2], scene.transform[5]]
    there, step = [raster.transform[2], raster.transform[5]], max(map(abs, raster.transform[:2]))
    is_apart = bool(raster.wkt) and any(abs(one - other) > step for one, other in zip(here, there, strict=True))
    if abs(ratio - 1) > CLOSE or is_apart:
        raise UserError(f"{scene.source.shown} is not the scene of these scores, {raster.scored.scene}: give that one.")
