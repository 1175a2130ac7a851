"""Names of files and folders never lead out of the data."""

import pytest
from pydantic import TypeAdapter, ValidationError

from competition.spec.base import Folders, Places


@pytest.mark.parametrize("path", ["../a", "a/../b", "/etc/passwd", "a//b", "", "..", "C:\\a", "a\nb", "a*", "a/."])
def test_a_path_that_leads_elsewhere_is_refused(path: str) -> None:
    for kind in (Places, Folders):
        with pytest.raises(ValidationError, match="expected the name of a file or folder"):
            TypeAdapter(kind).validate_python([path])


@pytest.mark.parametrize("path", ["a.csv", "images/train", "Foto (2)", "Bäume & Büsche", ".hidden"])
def test_any_name_that_files_have_is_taken(path: str) -> None:
    assert TypeAdapter(Places).validate_python(path) == (path,)


def test_the_folder_of_all_files_is_a_dot() -> None:
    assert TypeAdapter(Folders).validate_python(".") == (".",)
    with pytest.raises(ValidationError):
        TypeAdapter(Places).validate_python(".")
