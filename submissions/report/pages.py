"""Pages in one file that open from the disk and ask for nothing: templates, with the look that all of them share."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

PACKAGE = "submissions.report"


def rendered(name: str, content: Mapping[str, Any], package: str = PACKAGE) -> str:
    """Return a page; what came from a file is escaped.

    Args:
        name: of the template, which extends "base.html" and may import "macros.html".
        content: what it shows, beside `style` and `theme`, the style sheet and the switch between dark and light.
        package: that holds the template.
    """
    shared = {"style": asset("page.css"), "theme": asset("theme.js")}
    return str(_environment(package).get_template(name).render({**shared, **content}))


def asset(name: str, package: str = PACKAGE) -> Markup:
    """Return a file of a package, to be put into a page as it is."""
    return Markup(files(package).joinpath(name).read_text(encoding="utf-8"))


@cache
def _environment(package: str) -> Environment:
    return Environment(
        loader=ChoiceLoader([PackageLoader(package, ""), PackageLoader(PACKAGE, "")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
