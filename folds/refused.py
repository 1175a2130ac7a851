"""Why finished scores are refused, and how to have back what they were made with; to train again comes last."""

from __future__ import annotations

from competition.common.errors import UserError
from competition.common.text import short
from folds.kept import UNNAMED
from folds.provenance import Provenance


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
