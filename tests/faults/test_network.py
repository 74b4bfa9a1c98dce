"""A bad network between the processes and the broker: slow, uneven, narrow, torn, silent, half open."""

import random
from collections.abc import Mapping
from pathlib import Path

import pytest

from deploy.local.kafka import Kafka
from deploy.testbed.processes import Processes
from deploy.testbed.system import System
from deploy.testbed.waiting import pace
from pipeline.runtime.processes import LOOPBACK, free_port
from tests.support.load import coming_in, has_moved_on, stale_worker_started_again
from tests.support.proxy import FAIR, Proxy, Weather
from tests.support.reference import assert_equals_the_reference, practice
from tests.support.sizes import sized

pytestmark = pytest.mark.kafka

SPELL_SECONDS = sized(4.0, 600.0)
#: Longer than the worker's producer waits for an answer.
BLACK_HOLE_SECONDS = sized(18.0, 60.0)
#: Without news of a consumer for so long it is stuck.
STUCK_SECONDS = 120.0
EVENTS = sized(5_000, 400_000)
EVENTS_A_SECOND = sized(80, 100)

SPELLS: Mapping[str, Weather] = {
    "slow and uneven": Weather(latency_seconds=0.2, jitter_seconds=0.1),
    "narrow": Weather(bytes_a_second=64_000),
    "torn": Weather(reset_share=0.05),
    "black hole": Weather(is_black_hole=True),
    "half open": Weather(is_half_open=True),
}


class ProxiedKafka(Kafka):
    """A broker that names the proxy as its address; tests reach it directly at `direct`."""

    def __init__(self, proxy_port: int) -> None:
        self._proxy_port = proxy_port
        self.direct = f"{LOOPBACK}:{free_port()}"
        super().__init__()

    def _all_settings(self, partitions: int, properties: Mapping[str, str]) -> dict[str, str]:
        plain = super()._all_settings(partitions, properties)
        return {
            **plain,
            "listeners": f"{plain['listeners']},DIRECT://{self.direct}",
            "advertised.listeners": f"PLAINTEXT://{LOOPBACK}:{self._proxy_port},DIRECT://{self.direct}",
            "listener.security.protocol.map": f"{plain['listener.security.protocol.map']},DIRECT:PLAINTEXT",
            "inter.broker.listener.name": "DIRECT",
        }


def test_the_store_equals_the_reference_though_the_network_is_bad_in_every_way(
    processes: Processes, chance: random.Random, tmp_path: Path
) -> None:
    proxy = Proxy(chance, free_port())
    with ProxiedKafka(proxy.port) as broker, proxy.to(broker.port):
        through = f"{LOOPBACK}:{proxy.port}"
        database = f"sqlite:///{tmp_path}/store.sqlite"
        system = System(processes, broker.direct, database, ALLIANCE_KAFKA=through)
        system.create_topics().start("worker", "store", "exporter").wait_until_healthy("worker", "store", "exporter")
        events = practice(weeks=12, seed=91, therapists=sized(10, 900))[:EVENTS]
        assert len(events) == EVENTS
        with stale_worker_started_again(system):
            with coming_in(system, events, EVENTS_A_SECOND):
                for name, weather in SPELLS.items():
                    proxy.weather = weather
                    pace(BLACK_HOLE_SECONDS if weather.is_black_hole else SPELL_SECONDS)
                    proxy.weather = FAIR
                    has_moved_on(system, STUCK_SECONDS)
                    assert proxy.resets > 0 or name != "torn", "nothing was torn"
                proxy.half_close_all()
                proxy.reset_all()
                has_moved_on(system, STUCK_SECONDS)
            assert_equals_the_reference(system)
        assert all(one.running for one in system.running.values())
        assert proxy.bytes_carried > 1_000_000, "the processes did not go through the proxy"
