"""What the worker relies on inside Faust: a new version that changes it fails here, not in production."""

import asyncio
import inspect
import sys
from pathlib import Path

import faust
import pytest
from aiokafka import AIOKafkaProducer
from faust.events import Event
from faust.streams import Stream
from faust.tables.recovery import Recovery
from faust.tables.table import Table
from faust.transport.consumer import Consumer as BaseConsumer
from faust.transport.drivers.aiokafka import Producer
from mode.utils.queues import FlowControlEvent

from pipeline.core.detection.prior import DEFAULT_PRIOR
from pipeline.runtime.health import Health
from pipeline.runtime.metrics import Meters
from pipeline.runtime.settings import Settings
from pipeline.worker.app import create_app
from pipeline.worker.faust.manual_ack import ManualAckEvent, events_of
from pipeline.worker.faust.resume_endpoint import ResumeEndpoint
from schemas.instruments.registry import load_instruments


class Message:
    """Counts acknowledgements."""

    def __init__(self) -> None:
        self.acknowledged = 0

    def ack(self, consumer: object, n: int = 1) -> bool:
        self.acknowledged += n
        return True

    def incref(self, n: int = 1) -> None:
        """As Faust's."""


def an_event() -> tuple[ManualAckEvent, Message]:
    app = faust.App("internals", broker="kafka://127.0.0.1:1", web_enabled=False)
    app.consumer = object()
    message = Message()
    return ManualAckEvent(app, b"k", b"v", {}, message), message


def test_faust_cannot_acknowledge_an_event_but_the_worker_can() -> None:
    event, message = an_event()
    assert event.ack() is False
    assert message.acknowledged == 0
    event.acknowledge()
    assert message.acknowledged == 1


def test_streams_acknowledge_through_the_event_and_in_no_other_way() -> None:
    source = inspect.getsource(Stream._py_aiter)
    assert "event.ack()" in source
    assert "_py_aiter" in inspect.getsource(events_of)
    assert "consumer.ack" not in source
    assert "self.ack()" in inspect.getsource(Event.__aexit__)


def test_recovery_asks_the_table_for_its_offset_hands_it_events_and_names_the_partitions_it_has() -> None:
    source = inspect.getsource(sys.modules[Recovery.__module__])
    assert "offsets[tp] = persisted_offset" in source
    assert source.index("offsets[tp] = offset") < source.index("await table.on_changelog_event(event)")
    assert "table.on_recovery_completed(" in inspect.getsource(Recovery.on_recovery_completed)
    assert hasattr(Table, "changelog_topic_name")


def test_faust_empties_the_queues_just_before_it_resumes_after_it_has_sought() -> None:
    source = inspect.getsource(Recovery.on_recovery_completed)
    steps = [
        "_set_recovery_ended()",
        "consumer.perform_seek()",
        "flow_control.resume()\n        consumer.resume_flow()",
    ]
    assert [source.index(step) for step in steps] == sorted(source.index(step) for step in steps)
    assert "self.clear()" in inspect.getsource(FlowControlEvent.resume)


def test_the_producer_takes_whole_batches() -> None:
    assert "_producer" in inspect.getsource(Producer._ensure_producer)
    assert list(inspect.signature(AIOKafkaProducer.send_batch).parameters) == ["self", "batch", "topic", "partition"]
    assert list(inspect.signature(AIOKafkaProducer.create_batch).parameters) == ["self"]


def test_a_fetched_set_is_one_message_and_moves_commits_by_its_ends() -> None:
    source = inspect.getsource(BaseConsumer)
    assert "yield tp, to_message(tp, record)" in source
    assert "offset = self._new_offset(tp)" in source
    assert "await self._add_gap(tp, r_offset + 1, offset)" in source
    assert "self._acked" in inspect.getsource(BaseConsumer._filter_tps_with_pending_acks)


def the_workers_app() -> faust.App:
    return create_app(Settings(), load_instruments(None), DEFAULT_PRIOR, Health("t"), Meters("t"), ResumeEndpoint())


def test_a_worker_writes_nothing_where_it_is_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    asyncio.run(faust.App("internals", broker="kafka://127.0.0.1:1", web_enabled=False).on_first_start())
    assert [folder.name for folder in tmp_path.iterdir()] == ["internals-data"]
    asyncio.run(the_workers_app().on_first_start())
    assert [folder.name for folder in tmp_path.iterdir()] == ["internals-data"]


def test_the_app_is_set_up_to_be_exact() -> None:
    app = the_workers_app()
    assert app.conf.Event is ManualAckEvent
    assert app.conf.web_enabled is False
    assert app.conf.processing_guarantee.value == "at_least_once"
    assert app.conf.producer_acks == -1
    assert app.conf.table_standby_replicas == 0
    assert {table.name for table in app.tables.values()} == {"cases-state", "therapists-state"}
    assert sorted(app.agents) == ["cases", "therapists"]
