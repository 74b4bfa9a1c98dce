"""A simulation as files of JSON lines.

In: a `Simulation`. Out: one CloudEvent a line in order of arrival; one row of truth a line.
Never: a changed event.
"""

from collections.abc import Iterable
from typing import BinaryIO

import msgspec

from alliance.simulation.practice import Simulation


def write_events(simulation: Simulation, file: BinaryIO) -> None:
    """In order of arrival; without late or duplicated events that is the order of time."""
    _write_lines((simulation.events[index] for index in simulation.delivery), file)


def write_truth(simulation: Simulation, file: BinaryIO) -> None:
    """One row a planted rupture."""
    _write_lines(simulation.truth, file)


def _write_lines(rows: Iterable[object], file: BinaryIO) -> None:
    encoder = msgspec.json.Encoder()
    for row in rows:
        file.write(encoder.encode(row))
        file.write(b"\n")
