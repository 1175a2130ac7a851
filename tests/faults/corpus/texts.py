"""Competition files, recipes and records of somebody else's making."""

from __future__ import annotations

import json
from collections.abc import Callable

from tests.faults.corpus import Case, file_of

LABELS = '["sand", "rock", "kelp"]'
SCREEN = "\x1b]0;owned\x07"


def competition(
    top: str = "", *, labels: str = LABELS, tables: str = "", images: str = "", train: str = '"labels.csv"'
) -> str:
    """Return a competition's file with further entries."""
    return f"""
name = "seabed"
title = "What lies on the seabed"
labels = {labels}
{top}
[tables]
train = {train}
id_column = "id"
{tables}
[images.png]
suffix = ".png"
bands = "RGB"
train = ["dives"]
{images}
"""


def _file(content: Callable[[], str | bytes], name: str) -> Case:
    return file_of(name, content)


def _competition(*arguments: str, **entries: str) -> Case:
    return _file(lambda: competition(*arguments, **entries), "seabed.toml")


COMPETITIONS: dict[str, Case] = {
    "empty": _file(bytes, "a.toml"),
    "no text": _file(lambda: bytes(range(256)), "a.toml"),
    "lone surrogates": _file(lambda: 'name = "\ud800"', "a.toml"),
    "deep": _file(lambda: "a = " + "[" * 100_000, "a.toml"),
    "deep tables": _file(lambda: "a = " + "{b = " * 10_000, "a.toml"),
    "a number of 10,000 digits": _competition("unlabelled = " + "9" * 10_000),
    "20 MB": _file(lambda: "#" * 20_000_000, "a.toml"),
    "1,000,000 labels": _competition(labels=json.dumps([f"l{number}" for number in range(10**6)])),
    "a label of HTML, escapes and blanks": _competition(labels=json.dumps(["<b>", SCREEN, "c"])),
    "a title with escapes": _file(
        lambda: competition().replace("What lies", "What\\u001b]0;owned\\u0007 lies"), "a.toml"
    ),
    "a column with escapes": _competition(tables='fold_column = "\\u001b[31m"'),
    "a table that leads out": _competition(train='"../../labels.csv"'),
    "an absolute table": _competition(train='"/etc/passwd"'),
    "a folder that leads out": _competition(images='test = ["../.."]'),
    "a file that leads out": _competition(images='file = "{id}/../../{id}"'),
    "a name that leads out": _file(lambda: competition().replace('"seabed"', '"../seabed"'), "a.toml"),
    "a name of 10^6 letters": _file(lambda: competition().replace('"seabed"', f'"{"x" * 10**6}"'), "a.toml"),
    "an entry of 10^6 letters": _competition("x" * 10**6 + " = 1"),
    "100,000 unknown entries": _competition("\n".join(f"x{number} = 1" for number in range(10**5))),
    "an encoding that runs code": _competition(tables='encoding = "rot13"'),
    "an encoding of no text": _competition(tables='encoding = "hex"'),
    "an encoding with escapes": _competition(tables='encoding = "\\u001b[31m"'),
    "a date as a label": _competition(labels="[1979-05-27, 07:32:00, nan]"),
    "infinite ranges": _competition(images="range = {R = [-inf, inf]}"),
    "NaN in a range": _competition(images="range = {R = [nan, nan]}"),
    "a value of 10^400": _competition(images="range = {R = [0, 1" + "0" * 400 + "]}"),
}
TAKEN: dict[str, Case] = {
    "a label of HTML": _competition(labels='["<img src=x onerror=alert(1)>", "b", "c"]'),
    "a pattern of a hundred ids": _competition(images='file = "' + "{id}_" * 100 + '"'),
}
RECIPES: dict[str, Case] = {
    "empty name": _file(lambda: '["_"]\nbackbone = 5', "r.toml"),
    "wrong types": _file(lambda: '[mine]\nbase = ["resnet50"]', "r.toml"),
    "a table as a value": _file(lambda: '[mine]\nbase = "resnet50"\n[mine.epochs]\na = 1', "r.toml"),
    "unknown": _file(lambda: '[mine]\nbase = "resnet50"\nepoch = 3', "r.toml"),
    "deep": _file(lambda: "[mine]\nepochs = " + "[" * 100_000, "r.toml"),
    "huge": _file(lambda: '[mine]\nbase = "resnet50"\nepochs = ' + "9" * 400, "r.toml"),
    "too many digits": _file(lambda: '[mine]\nbase = "resnet50"\nepochs = ' + "9" * 5000, "r.toml"),
    "infinite": _file(lambda: '[mine]\nbase = "resnet50"\nlearning_rate = inf', "r.toml"),
    "NaN": _file(lambda: '[mine]\nbase = "resnet50"\ndropout = nan', "r.toml"),
    "negative": _file(lambda: '[mine]\nbase = "resnet50"\ninput_size = -1', "r.toml"),
    "huge pixels": _file(lambda: '[mine]\nbase = "resnet50"\ninput_size = 1000000000', "r.toml"),
    "many units": _file(lambda: '[mine]\nbase = "resnet50"\ndense = [1000000000, 1000000000]', "r.toml"),
    "many seeds": _file(lambda: '[mine]\nbase = "resnet50"\nseeds = 1000000000', "r.toml"),
    "itself": _file(lambda: '[mine]\nbase = "mine"', "r.toml"),
    "escapes": _file(lambda: '["\\u001b]0;owned\\u0007"]\nbase = "none"', "r.toml"),
}
RECORDS: dict[str, Case] = {
    "empty.json": _file(bytes, "r.json"),
    "deep.json": _file(lambda: "[" * 1_000_000, "r.json"),
    "deep objects": _file(lambda: '{"a":' * 1_000_000, "r.json"),
    "a list": _file(lambda: "[]", "r.json"),
    "NaN.json": _file(lambda: '{"format": NaN}', "r.json"),
    "digits": _file(lambda: '{"format": 1, "a": ' + "9" * 10_000 + "}", "r.json"),
    "another digest": _file(lambda: '{"format": 1, "digest": "00"}', "r.json"),
    "lone surrogates.json": _file(lambda: '{"format": 1, "a": "\\ud800", "digest": "00"}', "r.json"),
    "an unhashable format": _file(lambda: '{"format": [1]}', "r.json"),
}
