"""A draft as a competition's file, commented for a person, and as a table of what was seen."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from competition.common.errors import UserError
from competition.common.files import check_writable, replace_atomically
from competition.common.text import counted, first, printable
from competition.init.draft import Columns, Draft, Rules, draft
from competition.init.forms import Wishes
from competition.init.renderings import Rendering
from competition.spec.base import toml_key, toml_text
from competition.spec.images import image_key
from competition.spec.load import read_competition
from competition.spec.metric import AVERAGES, BY_LABEL
from competition.survey.grids import Grid
from competition.survey.listing import Listing
from competition.terminal.command_line import as_flags

WIDTH = 100  # of a line
SHOWN = 3  # labels in a comment
NEAR = 40  # letters on either side of one that cannot be written
MOST_DIGITS = 1e15  # from which on a whole number is written with an exponent
KINDS = {
    "tags": "labels as words",
    "columns": "0 or 1 in a column per label",
    "scores": "scores in a column per label",
    "rows": "a row per chip and label",
}
IDS = {
    "stem": "names of files, without suffix",
    "name": "names of files",
    "path": "paths of files",
    "path_stem": "paths of files, without suffix",
    "pattern": "parts of the names of files",
}
MEANS = {"samples": "the mean over chips", "macro": "the mean over labels", "micro": "all cells together"}
OWN_MEANS = {  # where an average means something else
    "accuracy": {"samples": "the share of chips that are all right", "micro": "the share of cells that are right"},
    "label_ranking": {"samples": "LRAP", "micro": "lwlrap, in which every label of a chip counts the same"},
}
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
    if output is not None and output.suffix != ".toml":
        raise UserError(f"--output {output}: expected the name of a .toml file.")
    if output is not None:
        check_writable(output)
    with Listing.of(source) as listing:
        found = draft(listing, replace(wishes, output=output.stem) if output else wishes)
    path = output or Path(f"{found.called.name}.toml")
    if path.exists() and not force:
        raise UserError(f"{path} is there already. Give --force to replace it, or another --output.")
    check_writable(path)
    with replace_atomically(path) as temporary:
        try:
            temporary.write_text(text_of(found, wishes), encoding="utf-8")
            read_competition(temporary)
        except UnicodeEncodeError as error:
            strange = ascii(error.object[max(error.start - NEAR, 0) : error.end + NEAR])
            raise UserError(f"Nothing was written: a name in {source} is no text: {strange}. Rename it.") from error
        except UserError as error:
            raise UserError(f"Nothing was written: {error.text.replace(str(temporary), str(path))}") from error
    return found, path


def text_of(found: Draft, wishes: Wishes) -> str:
    """Return a draft as a competition's file; `wishes` are the flags by which it was made."""
    called = found.called
    flags = as_flags({"from": found.root.resolve().name, **asdict(wishes)})
    lines = [
        _comment(f"Written by `competition init{flags}`. Correct what is wrong."),
        '# The README, section "Another competition", lists the entries.',
        *(_comment(f"? {question}") for question in found.questions),
        _entry("name", called.name),
        _entry("title", called.title),
        _entry("slug", called.slug, called.slug_from)
        if called.slug
        else '# slug = "..." # the name in the address of its page on Kaggle',
        "",
        *_wrapped("labels", found.labels, found.labelled.form.remarks.get("labels", "")),
        *_rule_lines(found.rules, len(found.labelled.form.ids)),
        "",
        *_metric_lines(found),
        "",
        *_table_lines(found),
        *_submission_lines(found),
    ]
    for rendering in found.renderings:
        lines += ["", *_image_lines(rendering)]
    return "\n".join(lines) + "\n"


def _rule_lines(rules: Rules, chips: int) -> list[str]:
    lines = []
    for labels, exceptions in rules.groups:
        odd = f", but for {exceptions:,}" if exceptions else ""
        lines.append(_comment(f"Of {chips:,} chips each carries exactly one of {first(labels, SHOWN)}{odd}."))
    if rules.groups:
        groups = (line for labels, _ in rules.groups for line in _wrapped("", labels, indent="    "))
        lines += ["exclusive = [", *groups, "]"]
    if rules.alone:
        counts = first((f"{label} in {number:,} chips" for label, number in rules.alone.items()), SHOWN)
        lines += [_comment(f"No other label may stand beside these: {counts}."), _entry("alone", list(rules.alone))]
    if rules.unlabelled:
        lines.append(_entry("unlabelled", True, f"{counted(rules.unlabelled, 'chip')} without a label"))
    return lines


def _metric_lines(found: Draft) -> list[str]:
    metric = found.metric
    guess = "a guess: the data do not say it" if found.is_guessed else ""
    lines = ["[metric]", _entry("name", metric.name, guess)]
    if len(AVERAGES[metric.name]) > 1:
        means = OWN_MEANS.get(metric.name, MEANS)[metric.average]
        lines.append(_entry("average", metric.average, means))
    if metric.name == "f_beta":
        lines.append(_entry("beta", metric.beta, "the weight of recall"))
    if metric.average == BY_LABEL:
        heavy = next((label for label in found.labels if label == "any"), found.labels[0])
        lines.append(_comment(f"weights = {{ {toml_key(heavy)} = 2 }} # if labels weigh differently; others weigh 1"))
    return lines


def _table_lines(found: Draft) -> list[str]:
    labelled, form = found.labelled, found.labelled.form
    grid = labelled.grid
    rows = f"{len(form.ids):,} chips" + (f"; {grid.torn:,} rows with too many or too few cells" if grid.torn else "")
    lines = ["[tables]", _entry("train", found.tables if len(found.tables) > 1 else found.tables[0], rows)]
    if found.sample:
        lines.append(_entry("sample_submission", found.sample[1], f"{len(found.sample[0].rows):,} rows"))
    ids = "stem" if labelled.kind == "pattern" else labelled.kind
    lines.append(_entry("id_column", labelled.id_column, f"such as {form.ids[0]}"))
    if ids != "stem":
        lines.append(_entry("ids", ids, f"ids are {IDS[ids]}"))
    entries = {**form.entries, "delimiter": grid.delimiter, "encoding": grid.encoding}
    for name, value in entries.items():
        if value != PLAIN_TABLE.get(name):
            lines.append(_entry(name, value, form.remarks.get(name, "")))
    return [*lines, *_column_lines(found.columns, grid)]


def _column_lines(columns: Columns, grid: Grid) -> list[str]:
    if columns.group:
        lines = [_entry("group_column", columns.group, f"{len(grid.values(columns.group)):,} groups")]
    else:
        lines = [_comment(_entry("group_column", name)) for name in columns.groups]
    if columns.folds:
        lines.append(_entry("fold_column", columns.folds, f"{len(grid.values(columns.folds))} folds"))
    return lines


def _submission_lines(found: Draft) -> list[str]:
    asked = found.asked
    return [
        "",
        "[submission]",
        _entry("kind", asked.kind, "; ".join([KINDS[asked.kind], *filter(None, [asked.remarks.get("kind")])])),
        *(_entry(name, value, asked.remarks.get(name, "")) for name, value in asked.entries.items()),
    ]


def _image_lines(rendering: Rendering) -> list[str]:
    found, content = rendering.found, rendering.content
    remarks = {**found.remarks, **content.remarks}
    sizes = first((f"{height} x {width}" for (height, width), _ in content.sizes.most_common()), 3)
    about = f"{sizes}, {content.dtype}" if content.dtype else "not decoded"
    key = image_key(rendering.name)
    lines = [f"[{key}] {_comment(about)}"]
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
    if content.metres is not None:
        lines.append(_entry("metres_per_pixel", content.metres, remarks["metres"]))
    if content.range:
        lines += ["", _comment(remarks["range"]), f"[{key}.range]"]
        lines += [_entry(band, span) for band, span in content.range.items()]
    return lines


def _entry(name: str, value: Any, remark: str = "") -> str:
    line = f"{toml_key(name)} = {_value(value)}"
    if isinstance(value, list) and len(line) > WIDTH:
        return "\n".join(_wrapped(name, value, remark))
    return line + (f" {_comment(remark)}" if remark else "")


def _comment(text: str) -> str:
    """Return a comment, without line breaks and the like: names of files and labels stand in it, and are others'."""
    return f"# {printable(text)}"


def _value(value: Any) -> str:
    """Return a value as TOML has it."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{toml_text(key)} = {_value(each)}" for key, each in value.items()) + " }"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < MOST_DIGITS else repr(value)
    return toml_text(value) if isinstance(value, str) else json.dumps(value)


def _wrapped(name: str, values: Iterable[str], remark: str = "", indent: str = "") -> list[str]:
    """Return a list as lines; one without a name is an item of another list."""
    begin = f"{toml_key(name)} = [" if name else f"{indent}["
    lines, line = [begin + (f" {_comment(remark)}" if remark else "")], f"{indent}   "
    for value in map(_value, values):
        if len(line) + len(value) + 2 > WIDTH and line.strip():
            lines.append(line)
            line = f"{indent}   "
        line += f" {value},"
    return [*lines, line, f"{indent}]," if not name else "]"]
