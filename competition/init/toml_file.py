"""A draft as a competition's file, commented for a person, and as a table of what was seen."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from competition.common.errors import UserError
from competition.common.files import check_writable, replace_atomically
from competition.common.text import counted, first
from competition.init.draft import Draft, Rendering, draft
from competition.init.forms import Wishes
from competition.spec.load import read_competition
from competition.spec.metric import AVERAGES
from competition.survey.listing import Listing

WIDTH = 110  # of a line of labels
PLAIN_TABLE = {"separator": " ", "delimiter": ",", "encoding": "utf-8"}  # what need not be said


def init(source: Path, output: Path | None, wishes: Wishes, *, force: bool = False) -> tuple[Draft, Path]:
    """Write the competition file that a folder of Kaggle's files shows.

    Args:
        source: the folder; nothing in it is changed.
        output: the file; by default the competition's name with .toml, in the working directory.
        wishes: what the flags say.
        force: replace a file that is there.

    Returns:
        What was found, and the path of the file.

    Raises:
        UserError: if something cannot be told and has no safe default, or the file is there or cannot be written.
    """
    if not source.is_dir():
        raise UserError(f"No folder {source}. Give --from the folder that holds Kaggle's files.")
    with Listing.of(source) as listing:
        found = draft(listing, wishes)
    path = output or Path(f"{found.name}.toml")
    if path.suffix != ".toml":
        raise UserError(f"--output {path}: expected the name of a .toml file.")
    if path.exists() and not force:
        raise UserError(f"{path} is there already. Give --force to replace it, or another --output.")
    check_writable(path)
    with replace_atomically(path) as temporary:
        temporary.write_text(text_of(found), encoding="utf-8")
        try:
            read_competition(temporary)
        except UserError as error:
            raise UserError(f"Nothing was written: {error.text.replace(str(temporary), str(path))}") from error
    return found, path


def text_of(found: Draft) -> str:
    """Return a draft as a competition's file."""
    lines = [
        f"# What `competition init` saw in {found.root.resolve().name}/. Correct what is wrong.",
        *(f"# ? {question}" for question in found.questions),
        _entry("name", found.name),
        _entry("title", found.title),
        _entry("slug", found.slug, found.slug_from)
        if found.slug
        else '# slug = "..." # the name in the address of its page on Kaggle',
        "",
        *_wrapped("labels", found.labels, found.labelled.form.remarks.get("labels", "")),
    ]
    if found.groups:
        chips = len(found.labelled.form.ids)
        for labels, exceptions in found.groups:
            odd = f", but for {exceptions:,}" if exceptions else ""
            lines.append(f"# Of {chips:,} chips each carries exactly one of {first(labels, 3)}{odd}.")
        groups = [_value(labels) for labels, _ in found.groups]
        lines += ["exclusive = [", *(f"    {group}," for group in groups), "]"]
    if found.alone:
        counts = ", ".join(f"{label} in {number:,} chips" for label, number in found.alone.items())
        lines += [f"# Never beside another: {counts}.", _entry("alone", list(found.alone))]
    if found.unlabelled:
        lines.append(_entry("unlabelled", True, f"{counted(found.unlabelled, 'chip')} without a label"))
    lines += ["", *_metric_lines(found), "", *_table_lines(found), *_submission_lines(found)]
    for rendering in found.renderings:
        lines += ["", *_image_lines(rendering)]
    return "\n".join(lines) + "\n"


def _metric_lines(found: Draft) -> list[str]:
    metric = found.metric
    guess = "a guess: the data do not say it" if found.is_guessed else ""
    lines = ["[metric]", _entry("name", metric.name, guess)]
    if len(AVERAGES[metric.name]) > 1:
        lines.append(_entry("average", metric.average))
    if metric.name == "f_beta":
        lines.append(_entry("beta", metric.beta))
    return lines


def _table_lines(found: Draft) -> list[str]:
    labelled, form = found.labelled, found.labelled.form
    grid = labelled.grid
    rows = f"{len(form.ids):,} chips" + (f"; {grid.torn:,} rows with too many or too few cells" if grid.torn else "")
    lines = ["[tables]", _entry("train", found.tables if len(found.tables) > 1 else found.tables[0], rows)]
    if found.sample:
        lines.append(_entry("sample_submission", found.sample[1], f"{len(found.sample[0].rows):,} rows"))
    ids = "stem" if labelled.kind == "pattern" else labelled.kind
    example = f"such as {form.ids[0]}" if form.ids[0].isprintable() else ""
    lines.append(_entry("id_column", labelled.id_column, example))
    if ids != "stem":
        lines.append(_entry("ids", ids))
    entries = {**form.entries, "delimiter": grid.delimiter, "encoding": grid.encoding}
    for name, value in entries.items():
        if value != PLAIN_TABLE.get(name):
            lines.append(_entry(name, value, form.remarks.get(name, "")))
    if found.group:
        lines.append(_entry("group_column", found.group, f"{len(grid.values(found.group)):,} groups"))
    else:
        lines += [f"# {_entry('group_column', name)}" for name in found.groups_of_chips]
    if found.fold_column:
        lines.append(_entry("fold_column", found.fold_column, f"{len(grid.values(found.fold_column))} folds"))
    return lines


def _submission_lines(found: Draft) -> list[str]:
    asked = found.asked
    return [
        "",
        "[submission]",
        _entry("kind", asked.kind, asked.remarks.get("kind", "")),
        *(_entry(name, value, asked.remarks.get(name, "")) for name, value in asked.entries.items()),
    ]


def _image_lines(rendering: Rendering) -> list[str]:
    found, content = rendering.found, rendering.content
    remarks = {**found.remarks, **content.remarks}
    sizes = first((f"{height} x {width}" for (height, width), _ in content.sizes.most_common()), 3)
    about = f"{sizes}, {content.dtype}" if content.dtype else "not decoded"
    lines = [f"[images.{rendering.name if '.' not in rendering.name else json.dumps(rendering.name)}] # {about}"]
    lines.append(_entry("suffix", found.suffixes if len(found.suffixes) > 1 else found.suffixes[0]))
    lines.append(_entry("bands", content.bands, remarks.get("bands", "")))
    if found.file != "{id}":
        lines.append(_entry("file", found.file))
    lines.append(_entry("train", rendering.train))
    if rendering.test:
        lines.append(_entry("test", rendering.test, remarks.get("test", "")))
    if rendering.renamed:
        lines.append(_entry("renamed", rendering.renamed))
    if content.nodata is not None:
        lines.append(_entry("nodata", content.nodata, remarks.get("nodata", "")))
    if content.range:
        lines += ["", f"# {remarks['range']}", f"[images.{rendering.name}.range]"]
        lines += [f"{_key(band)} = [{low:g}, {high:g}]" for band, (low, high) in content.range.items()]
    return lines


def _entry(name: str, value: Any, remark: str = "") -> str:
    return f"{_key(name)} = {_value(value)}" + (f" # {_line(remark)}" if remark else "")


def _line(text: str) -> str:
    return "".join(mark if mark.isprintable() else " " for mark in text)


def _key(name: str) -> str:
    return name if name.isascii() and name.replace("_", "").replace("-", "").isalnum() else _value(name)


def _value(value: Any) -> str:
    """Return a value as TOML has it; its strings are JSON's, but for the last control character."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_value(str(key))} = {_value(each)}" for key, each in value.items()) + " }"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, float):
        return "nan" if value != value else f"{value:g}" if value == int(value) else repr(value)
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")


def _wrapped(name: str, values: Iterable[str], remark: str) -> list[str]:
    lines, line = [f"{name} = [" + (f" # {_line(remark)}" if remark else "")], "   "
    for value in map(_value, values):
        if len(line) + len(value) > WIDTH and line.strip():
            lines.append(line)
            line = "   "
        line += f" {value},"
    return [*lines, line, "]"]
