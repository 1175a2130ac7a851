"""Templates escape what they are given, and share a look."""

from __future__ import annotations

import pytest
from jinja2 import UndefinedError

from submissions.report.pages import asset, rendered


def test_files_of_the_package_are_put_in_as_they_are():
    assert asset("page.css").__html__() == str(asset("page.css"))
    assert "prefers-color-scheme" in asset("theme.js")


def test_a_template_that_lacks_something_is_not_written():
    with pytest.raises(UndefinedError):
        rendered("page.html", {"title": "half"})
