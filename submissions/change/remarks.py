"""What must be known of two dates before anyone believes what has changed: where they fit each other, and where not."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan

from competition.common.errors import UserError
from competition.common.text import counted, first
from competition.scenes.score_raster import Scored, ScoreRaster
from submissions.change.align import EXACT, Aligned
from submissions.change.compare import LESS, MORE, Terms
from submissions.change.noise import TOLD, Found
from submissions.map.rules import MapRule

METRES = 0.01  # of a window's side, by which two dates' may differ unsaid


def check_dates(before: ScoreRaster, after: ScoreRaster, again: ScoreRaster | None) -> None:
    """Refuse scores that are given twice, and dates in the wrong order.

    Raises:
        UserError: if they are.
    """
    for flag, other in (("--after", after), ("--again", again)):
        if other is not None and other.path.samefile(before.path):
            raise UserError(f"{flag} is the same file as --before: {before.path}. Give that of another prediction.")
    if again is not None and again.path.samefile(after.path):
        raise UserError(f"--again is the same file as --after: {after.path}. It measures noise on unchanged ground.")
    early, late = before.scored.date, after.scored.date
    if early and late and late < early:
        raise UserError(f"--before is of {early}, and --after of {late}, which is earlier. Exchange them.")


def remarks(aligned: Sequence[Aligned], rule: MapRule, found: Sequence[Found], terms: Terms) -> list[str]:
    """Return the lines to read with what has changed.

    Args:
        aligned: both dates; and the earlier one with what noise is measured by, if there is that.
        rule: that decided.
        found: of each label.
        terms: of the comparison.
    """
    dates, *noise = aligned
    before, after = dates.before, dates.after
    lines = [*_apart(dates, "later"), *_unlike(before.scored, after.scored, "the place"), *_cuts(dates, rule, found)]
    if only := sorted(set(before.labels) ^ set(after.labels)):
        lines.append(f"Only one of the dates has scores of: {first(only)}.")
    cells = before.rows * before.columns
    if hidden := max(1 - each.change.known / cells for each in found):
        lines.append(f"Left out: cells that one of the dates does not know or reach, up to {hidden:.1%} of a label's.")
    if any(each.change.doubtful_km2 for each in found):
        lines.append(
            f"Doubtful: crosses the cut, but moves by less than {terms.margin:g} in log odds (--margin); so the same."
        )
    if small := sum(each.change.small for each in found):
        lines.append(f"Left out: {counted(small, 'region')} of changed cells of less than {terms.smallest_ha:g} ha.")
    return [*lines, *(_noise(noise[0], dates, found) if noise else [UNMEASURED])]


UNMEASURED = (
    "How much of this noise alone would make is not known. Score the earlier ground once more, best from another scene "
    "of the same days, or else from the same scene by other --views, and give the scores by --again DIR."
)


def _noise(again: Aligned, dates: Aligned, found: Sequence[Found]) -> list[str]:
    before, other = again.before.scored, again.after.scored
    lines = [
        f"By noise: what the same comparison finds between {before.scene} and {other.scene} (--again), if nothing has "
        "changed there; for as many cells."
    ]
    lacks = ["light, season and sensor"] * (before.digests.get("scene", "") == other.digests.get("scene"))
    lacks += ["windows that lie elsewhere"] * (again.apart <= EXACT < dates.apart)
    if lacks:
        lines.append(f"Not in it, so that true noise is more: {' and '.join(lacks)}.")
    lines += [*_apart(again, "repeated"), *_unlike(before, other, "noise")]
    if alike := [f"{each.change.label} ({' and '.join(each.untold)})" for each in found if each.untold]:
        lines.append(f"Less than {TOLD:g} times what noise makes, and so not told from it: {first(alike)}.")
    if lacking := [each.change.label for each in found if isnan(each.by_noise(*MORE, *LESS).km2)]:
        lines.append(f"Noise is not known, as --again has no cell of them that --before has: {first(lacking)}.")
    return lines


def _apart(aligned: Aligned, which: str) -> list[str]:
    if (apart := aligned.apart) <= EXACT:
        return []
    return [f"The {which} scores lie on other cells: the nearest are compared, whose middles are up to {apart:.2f} of "
            "a cell apart."]  # fmt: skip


def _unlike(one: Scored, other: Scored, what: str) -> list[str]:
    """Return what differs in how two rasters were scored, which makes scores differ that are of `what`."""
    lines = []
    if (one.model, one.digests.get("model")) != (other.model, other.digests.get("model")):
        named = f"{one.model} and {other.model}" if one.model != other.model else f"two trainings of {one.model}"
        lines.append(f"Scored by different models ({named}): what differs may be these, and not {what}.")
    if abs(one.chip_metres / other.chip_metres - 1) > METRES:
        lines.append(f"Windows have other sizes: {one.chip_metres:g} and {other.chip_metres:g} m. Scores differ by it.")
    elif one.digests.get("windows") != other.digests.get("windows") and what != "noise":
        lines.append("Views, values or missing shares of `scene predict` were others: scores may differ by these.")
    return lines


def _cuts(dates: Aligned, rule: MapRule, found: Sequence[Found]) -> list[str]:
    """Return that the later scores keep other cuts, where the earlier one's decide."""
    kept, others = dates.before.scored.cuts, dates.after.scored.cuts
    labels = [each.change.label for each in found]
    differ = [label for label in labels if label in kept and others.get(label) != kept[label] == rule.cuts.get(label)]
    return [f"The later scores keep other cuts of {first(differ)}; the earlier ones' decide both."] if differ else []
