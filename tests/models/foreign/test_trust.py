"""What may run code is opened where a person says so, of the file as it is now, and of no other."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from click.testing import CliRunner

import run
from competition.common.errors import UserError
from models.foreign.trust import check_trusted, trust, trust_flag
from models.recipes.named import load_recipes, resolve

CONTENT = b"a network"


def asked(cache, content=CONTENT) -> None:
    check_trusted(cache, "net.pt", content, "TorchScript")


def test_what_is_trusted_is_the_content_and_not_the_name(tmp_path):
    with pytest.raises(UserError, match=r"^net.pt is TorchScript, and may run code .* give --trust-weights beside"):
        asked(tmp_path)
    for name, content in (("net.pt", CONTENT), ("other.pt2", b"other")):
        (tmp_path / name).write_bytes(content)
    trust(tmp_path, f"imagenet,{tmp_path / 'net.pt'},{tmp_path / 'other.pt2'},{tmp_path / 'missing.pt'}")
    asked(tmp_path)
    asked(tmp_path, b"other")
    with pytest.raises(UserError, match=r"may run code"):
        asked(tmp_path, CONTENT + b" that has changed")
    with pytest.raises(UserError, match=r"may run code"):
        asked(tmp_path / "another workspace")


@pytest.mark.parametrize("damage", [b"", b"{}", b"[1]"])
def test_a_damaged_note_trusts_nothing(tmp_path, damage):
    (tmp_path / "net.pt").write_bytes(CONTENT)
    trust(tmp_path, str(tmp_path / "net.pt"))
    (note,) = (tmp_path / "trusted").iterdir()
    note.write_bytes(damage)
    with pytest.raises(UserError, match=r"may run code"):
        asked(tmp_path)


@pytest.mark.parametrize(
    ("weights", "received"), [("", "none"), ("imagenet", "--weights imagenet"), ("net.onnx", "--weights net.onnx")]
)
def test_there_must_be_what_needs_it(tmp_path, weights, received):
    with pytest.raises(
        UserError, match=rf"^--trust-weights is about a .pt or .pt2 file .*: received {received}\. Leave"
    ):
        trust(tmp_path, weights)
    assert not (tmp_path / "trusted").exists()


def test_the_flag_is_about_the_weights_of_its_own_command(tmp_path):
    (tmp_path / "net.pt").write_bytes(CONTENT)
    given, workspace = [], SimpleNamespace(cache=tmp_path)
    verb = trust_flag(lambda workspace, **options: given.append(options))
    overrides = {"weights": str(tmp_path / "net.pt")}
    verb(workspace, overrides=overrides, name="a")
    with pytest.raises(UserError, match=r"may run code"):
        asked(tmp_path)
    verb(workspace, overrides=overrides, trust_weights=True, name="a")
    asked(tmp_path)
    assert given == [{"overrides": overrides, "name": "a"}] * 2


def test_a_recipe_which_may_be_a_strangers_cannot_say_it(tmp_path):
    (tmp_path / "own.toml").write_text('[net]\nbase = "resnet50"\ntrust_weights = true\n')
    with pytest.raises(UserError, match=r"trust_weights"):
        resolve("net", {}, tmp_path / "own.toml")
    assert "trust_weights" not in str(load_recipes())


@pytest.mark.parametrize("verb", ["fold", "train", "features", "tune"])
def test_every_verb_that_opens_weights_has_the_flag(verb):
    assert "--trust-weights" in CliRunner().invoke(run.main, [verb, "--help"]).output
