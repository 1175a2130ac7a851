"""How numbers, names, sizes, digests and times are written for people."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from datetime import UTC, datetime

SHOWN = 5  # of the names in a list
LONGEST = 40  # letters of a label in a line
SECRET = re.compile(r"(^|_)(TOKEN|PASSWORD|PASSWD|SECRET|KEY)$", re.IGNORECASE)  # names of the environment
SHORTEST = 6  # letters of a secret
REASON = 200  # letters of what a library, a store or a damaged file says


def readable(size: int) -> str:
    """Return a number of bytes as it is shown to people."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6)):
        if size >= factor:
            return f"{size / factor:,.1f} {unit}"
    return f"{size / 1000:.0f} kB" if size >= 1000 else f"{size} bytes"


def lasting(seconds: float) -> str:
    """Return a time as it is shown to people.

    Example:
        >>> lasting(0.42), lasting(75), lasting(7000)
        ('0.4 seconds', '75 seconds', '1:57 hours')
    """
    if seconds < 10:
        return f"{seconds:.1f} seconds"
    if seconds < 90:
        return f"{seconds:.0f} seconds"
    minutes = round(seconds / 60)
    return f"{minutes} minutes" if minutes < 90 else f"{minutes // 60}:{minutes % 60:02d} hours"


def short(digest: str) -> str:
    """Return the first eight hex digits, as digests are shown to people."""
    return digest[:8]


def counted(number: int, noun: str) -> str:
    """Return a number and its noun for a message, such as "1 view" or "8 views"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def first(names: Iterable[object], shown: int = SHOWN) -> str:
    """Return the first few of `names` for a message, and how many more there are."""
    listed = [spelled_out(str(name)) for name in names]
    more = f" and {len(listed) - shown} more" if len(listed) > shown else ""
    return ", ".join(listed[:shown]) + more


def cut(name: str, width: int = LONGEST) -> str:
    """Return a name, or its beginning where it is longer than `width`."""
    return name if len(name) <= width else name[: width - 1] + "…"


def spelled_out(text: str) -> str:
    r"""Return text that a terminal shows and does not obey: control characters as Python writes them, but line breaks.

    Example:
        >>> print(spelled_out("\x1b[31mred"))
        \x1b[31mred
    """
    return (
        text
        if text.isprintable()
        else "".join(mark if mark.isprintable() or mark == "\n" else repr(mark)[1:-1] for mark in text)
    )


def printable(text: str) -> str:
    """Return text as one line: a blank stands for whatever cannot be printed, such as a line break."""
    return "".join(mark if mark.isprintable() else " " for mark in text)


def without_secrets(text: str) -> str:
    """Return text without what the environment keeps as a secret, and without passwords and signatures in addresses."""
    text = hiding(text, (value for name, value in os.environ.items() if SECRET.search(name)))
    text = re.sub(r"(://)[^/\s@]*@", r"\1", text)
    return re.sub(r"(\w+://[^\s?]*)\?\S*", r"\1", text)


def hiding(text: str, secrets: Iterable[str]) -> str:
    """Return text without some secrets; very short ones are none, as they would be found everywhere."""
    for secret in sorted({secret for secret in secrets if len(secret) >= SHORTEST}, key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


def now() -> str:
    """Return the date and time in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def day(when: str) -> str:
    """Return a time of the ledger for people, in UTC."""
    return f"{when[:10]} {when[11:16]}" if when else "an unknown day"


def band_names(text: str) -> tuple[str, ...]:
    """Return bands one by one: with a comma anywhere they are names, otherwise letters."""
    return tuple(filter(None, map(str.strip, text.split(",") if "," in text else text)))
