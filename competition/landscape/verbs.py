"""The verb of made-up scenes. It imports what it needs when it runs."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import rich_click as click

from competition.terminal.command_line import FILE
from competition.terminal.output import output_flags, show_next


@click.command()
@click.option("--output", "path", type=FILE, required=True, help="GeoTIFF to write; the truth lies beside it as .geojson")
@click.option("--size", type=int, default=4096, show_default=True, help="pixels along each side")
@click.option("--seed", type=int, default=0, show_default=True, help="the same seed gives the same place")
@click.option("--metres-per-pixel", type=float, default=3.0, show_default=True, help="of ground")
@click.option("--later", is_flag=True, help="the place a year later: more fields, roads and mines, and another sky")
@output_flags
def simulate(path: Path, **options: Any) -> None:
    """Make a scene up: rivers, roads, fields, villages and mines of the Amazon, with the truth as polygons."""
    from competition.landscape.simulate import simulate_scene

    truth = simulate_scene(path, **options)
    click.echo(f"Wrote a scene of {options['size']:,} x {options['size']:,} pixels to {path}, and its truth to {truth}.")
    show_next(f"scene predict --model NAME --scene {shlex.quote(str(path))} --output DIR")


VERBS = (simulate,)
