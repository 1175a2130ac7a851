"""Epochs as TensorBoard's event files: each network has a run of the chips learnt and one of those that judge it.

They are two runs with the same tags, as those of Keras' own callback, since TensorBoard draws the runs of a tag into
one chart: what was learnt and what was held out, or set aside (`inner`), lie on each other, of all folds and seeds or
of those that are picked.

There is no second state beside the history that could get out of step with it: a file's content follows from its name,
which says when training began, and the history. What is on the disk is either the beginning of that, wherever a kill
may have cut it, and is continued; or of another training, and is made anew. Continued rather than replaced, as a
TensorBoard that has a file open would not see what takes its place.
"""

from __future__ import annotations

import functools
import struct
import time
from pathlib import Path
from typing import Any

from competition.common.progress import reporter
from models.runs.training_state import TrainingState

LOGS = LEARNT_RUN, HELDOUT_RUN = "learnt", "heldout"  # folders beside a network's history
PREFIX = "events.out.tfevents."  # TensorBoard takes files with "tfevents" in their name
VERSION = "brain.Event:2"


def log_epochs(folder: Path, state: TrainingState, metric: str, monitor: str = HELDOUT_RUN) -> None:
    """Bring the event files of a network into line with its history; a failure is said once, and costs nothing else.

    Args:
        folder: of the network; `learnt/` and a folder called like the chips that judge receive the files.
        state: its finished epochs.
        metric: title of the metric, which is its tag.
        monitor: which chips judge, as recipes call them: "heldout" or "inner".
    """
    learnt = [
        {"loss": epoch.loss, metric: epoch.metric, "learning_rate": epoch.learning_rate} for epoch in state.history
    ]
    judged = [{"loss": epoch.heldout_loss, metric: epoch.heldout_metric} for epoch in state.history]
    seconds = [epoch.seconds for epoch in state.history]
    try:
        for name, figures in ((LEARNT_RUN, learnt), (monitor, judged)):
            _bring(folder / name, figures, seconds)
    # Whatever hinders a log, be it a full disk or a package that does not fit another: the training matters more.
    except Exception as error:
        _say_once(f"No TensorBoard logs: {getattr(error, 'strerror', None) or error}. Training goes on.")


def _bring(folder: Path, figures: list[dict[str, float]], seconds: list[float]) -> None:
    if not figures:
        return
    for path in sorted(folder.glob(f"{PREFIX}*")):
        if (began := _began(path)) is not None:
            content, whole = path.read_bytes(), _content(began, figures, seconds)
            if whole.startswith(content):
                with path.open("ab") as file:
                    file.write(whole[len(content) :])
                return
        path.unlink()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{PREFIX}{time.time() - sum(seconds):.3f}"
    path.write_bytes(_content(float(path.name.removeprefix(PREFIX)), figures, seconds))


def _began(path: Path) -> float | None:
    """Return when training began; None of a name that we did not give."""
    try:
        return float(path.name.removeprefix(PREFIX))
    except ValueError:
        return None


def _content(began: float, figures: list[dict[str, float]], seconds: list[float]) -> bytes:
    """Return the records of a file. Times are those of the training alone: a night between two starts is left out."""
    from tensorboardX.proto.event_pb2 import Event
    from tensorboardX.proto.summary_pb2 import Summary

    events, now = [Event(wall_time=began, file_version=VERSION)], began
    for step, (values, taken) in enumerate(zip(figures, seconds, strict=True), 1):  # as people count epochs
        now += taken
        summary = Summary(value=[Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()])
        events.append(Event(wall_time=now, step=step, summary=summary))
    return b"".join(_record(event) for event in events)


def _record(event: Any) -> bytes:
    """Return an event as a TFRecord: its length and itself, each followed by its checksum.

    The library's `RecordWriter` writes the same, but to a file that it begins anew.
    """
    from tensorboardX.record_writer import masked_crc32c

    content = event.SerializeToString()
    length = struct.pack("<Q", len(content))
    return b"".join(
        (length, struct.pack("<I", masked_crc32c(length)), content, struct.pack("<I", masked_crc32c(content)))
    )


@functools.cache
def _say_once(line: str) -> None:
    reporter.note(line)  # not to the job's own log, which a full disk would not take either
