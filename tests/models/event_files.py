"""Event files read by TensorFlow, which wrote none of them and refuses a record whose checksum is wrong."""

from __future__ import annotations

from pathlib import Path


def read_events(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Return the steps and values of each tag of the one event file in a folder, as they stand there."""
    from tensorflow.compat.v1.train import summary_iterator

    (path,) = folder.glob("*tfevents*")
    tags: dict[str, list[tuple[int, float]]] = {}
    times = []
    for event in summary_iterator(str(path)):
        times.append(event.wall_time)
        for value in event.summary.value:
            tags.setdefault(value.tag, []).append((event.step, round(value.simple_value, 6)))
    assert times == sorted(times)
    return tags
