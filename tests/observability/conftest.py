"""One Prometheus with half a year of a simulated practice, for all tests of the dashboards.

In: the history. Out: a running server.
Never: a second one.
"""

from collections.abc import Iterator

import pytest

from deploy.testbed.history import LOOKBACK, write_history
from deploy.testbed.prometheus import Prometheus


@pytest.fixture(scope="session")
def observed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """The server, at any moment of the history."""
    folder = tmp_path_factory.mktemp("prometheus")
    history = folder / "history.om"
    write_history(history)
    prometheus = Prometheus(folder, LOOKBACK)
    prometheus.fill(history)
    history.unlink()
    with prometheus:
        yield prometheus
