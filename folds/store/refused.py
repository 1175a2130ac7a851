"""Why finished scores are refused, and how to have back what they were made with; to train again comes last."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from competition.common.errors import UserError
from competition.common.text import short
from folds.store.alone import model_and_fold
from folds.store.kept import UNNAMED
from folds.store.provenance import MARKER, Provenance, read_marker


def folds_changed(made: Provenance, expected: str) -> UserError:
    """Return the error for scores that were made with another fold table.

    Args:
        made: what they were made with.
        expected: digest of the fold table that there is.
    """
    return UserError(
        f"Scores of '{made.model}' fold {made.fold} were made with another fold table (expected {short(expected)}, "
        f"received {short(made.fold_digest)}). Restore the folds.csv that they were made with.",
        command={
            "where you know how it was made": UNNAMED,
            "to train it on the folds there are now": f"train --models {made.model} --restart",
        },
    )


def labels_changed(made: Provenance, labels: str, delivered: str | None) -> UserError:
    """Return the error for scores that were made with other labels of the chips.

    Args:
        made: what they were made with.
        labels: digest of the labels that there are.
        delivered: digest of these without corrections; None if it is not known.
    """
    again = {"to train it on the labels there are now": f"train --models {made.model} --restart"}
    text = f"The labels were changed since '{made.model}' fold {made.fold} was trained on them: "
    prepare = {"to have them as they were delivered": "data prepare --from DIR"}
    if None in (delivered, made.delivered_digest):
        text += "restore the table of labels, or data/corrections.csv."
        return UserError(text, command={**prepare, **again})
    if made.delivered_digest != delivered:
        return UserError(f"{text}the table of labels is another. Restore it.", command={**prepare, **again})
    if made.label_digest == delivered:
        text += "data/corrections.csv turns some."
        return UserError(text, command={"to take the corrections back": "data relabel --clear", **again})
    gone = "is gone" if labels == delivered else "is another"
    text += (
        f"data/corrections.csv {gone}. Restore it from a copy, such as data/corrections.old.csv, which keeps those "
        "that were last taken back."
    )
    return UserError(text, command=again)


def moved(folder: Path, made: Provenance, restart: str) -> UserError:
    """Return the error for a fold's folder that lies where another's belongs: renamed, swapped, or a copy.

    Args:
        folder: of the fold.
        made: what the scores in it were made with, of another fold or model.
        restart: the command that makes what belongs there.
    """
    runs, model = folder.parent.parent, folder.parent
    place, owners = runs / made.model / f"fold{made.fold}", {_owner_of(each) for each in model.glob("fold*")}
    if not place.parent.exists() and {owner and owner[0] for owner in owners} <= {made.model, None}:
        back = f"the model was renamed. Rename {model} back to {place.parent}."
    elif not place.exists():
        back = f"it was renamed. Rename it back to {place}."
    elif (owner := _owner_of(place)) == model_and_fold(folder):
        back = f"the two were swapped. Swap them back: {place} holds what belongs here."
    elif owner == (made.model, made.fold):
        back = f"it is a copy of {place}. Take it away."
    else:
        back = f"put it back to {place}, and what lies there to where it belongs."
    text = f"{folder} holds '{made.model}' fold {made.fold}, as its {MARKER} says: {back}"
    return UserError(text, command={"to train again what belongs here": restart})


def _owner_of(folder: Path) -> tuple[str, int] | None:
    """Return the model and fold whose scores a folder holds; None if that is not known."""
    with suppress(UserError):
        made = read_marker(folder / MARKER, "").provenance
        return made.model, made.fold
    return None
