"""A simulation as files of JSON lines.

In: a `Simulation`. Out: one CloudEvent a line in order of arrival; one row of truth a line. Must never:
change them.
"""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from pipeline.simulation.practice import Simulation


def write_events(simulation: Simulation, path: Path) -> None:
    """In order of arrival; without late or duplicated events that is the order of time."""
    _write_lines((simulation.events[index] for index in simulation.delivery), path)


def write_truth(simulation: Simulation, path: Path) -> None:
    _write_lines(simulation.truth, path)


def _write_lines(rows: Iterable[object], path: Path) -> None:
    encoder = msgspec.json.Encoder()
    with path.open("wb") as file:
        for row in rows:
            file.write(encoder.encode(row))
            file.write(b"\n")
