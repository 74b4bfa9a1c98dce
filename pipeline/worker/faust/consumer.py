"""Faust's Kafka transport: partitions that stop and go on, and topics that are fetched as record sets.

In: record sets from the seam (`record_sets`), or records. Out: one Faust message a set or record; commits along what
is acknowledged.
Never: commit past a set whose outputs are not durable. Faust's own book-keeping counts single offsets and takes what
lies between two messages for nothing, so it is not asked about these topics.
"""

import logging
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import suppress
from typing import Any

from aiokafka.errors import IllegalStateError, KafkaError
from aiokafka.protocol.group import JoinGroupRequest
from faust.transport.drivers.aiokafka import Consumer, Transport
from faust.types import TP

from pipeline.worker.faust.committable_offsets import CommittableOffsets
from pipeline.worker.faust.record_sets import RecordSet, fetch_as_sets

log = logging.getLogger(__name__)

#: Where a partition stands of which nothing has been asked for yet.
NOT_BEGUN = -1


class PausableConsumer(Consumer):  # type: ignore[misc]
    """A partition can be stopped, and later go on from an offset where nothing behind it has been committed."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._resume_offsets: dict[TP, int] = {}

    def pause(self, tp: TP) -> None:
        """Take no more of a partition. Faust passes over what it has fetched of it already, hence `go_on` goes back."""
        self.pause_partitions({tp})

    def go_on(self, tp: TP, offset: int) -> None:
        """Take the partition again, from this offset on."""
        self._resume_offsets[tp] = offset

    def behind(self) -> dict[TP, int]:
        """Where partitions stand that have something ahead of them and are not stopped; known of sets only."""
        return {}

    def has_lost_membership(self) -> bool:
        """Whether the group has gone on without us, so that others may have our partitions already."""
        return bool(self._thread._ensure_consumer()._coordinator.member_id == JoinGroupRequest.UNKNOWN_MEMBER_ID)

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Any]]:
        """As Faust's. Going back happens here, since between two calls nothing that was fetched is under way."""
        if not self._get_active_partitions():
            await self._thread.call_thread(self._stay_a_member)
        for tp in list(self._resume_offsets):
            await self._seek_and_resume(tp)
        async for one in super().getmany(timeout):
            yield one

    async def _stay_a_member(self) -> None:
        """Faust fetches nothing for a worker without partitions; aiokafka would leave the group then, for good."""
        with self._thread._ensure_consumer()._fetcher._subscriptions.fetch_context():
            pass

    async def _seek_and_resume(self, tp: TP) -> None:
        offset = self._resume_offsets.pop(tp)
        if self.flow_active and tp in self.assignment():
            await self.seek_wait({tp: offset})
            self.resume_partitions({tp})

    async def on_partitions_revoked(self, revoked: Any) -> None:
        """Under the new assignment fetching begins at what is committed, which lies before any stop."""
        self._resume_offsets.clear()
        await super().on_partitions_revoked(revoked)


class RecordSetConsumer(PausableConsumer):
    """Delivers whole sets, in the order of their partition and without a hole; other topics go Faust's way.

    Faust loses a set in two ways that would not be noticed here otherwise. It passes over what it has fetched of a
    partition that is paused at that moment: what the next fetch would pass over is sought again. And when it resumes
    after a rebalance it empties the agents' queues, of what it has already let through too: nothing goes to an agent
    before that.
    """

    #: The topics whose sets go to agents; those of changelogs are recovered from, not committed.
    delivered_topics: frozenset[str] = frozenset()

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        #: Of the partitions whose sets may be delivered now.
        self._progress: dict[TP, CommittableOffsets] = {}
        #: What agents may be given once Faust resumes, and in which rebalance that was found.
        self._sought: tuple[int, dict[TP, CommittableOffsets]] = (0, {})
        #: The rebalance that has ended last, by Faust's count of those begun.
        self._assigned_in = 0
        #: Up to where each partition was fetched: there the next fetch begins, unless somebody seeks.
        self._fetched: dict[TP, int] = {}

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Any]]:
        """As Faust's. Between two calls nothing that was fetched is under way."""
        await self._seek_skipped()
        async for tp, message in super().getmany(timeout):
            if not isinstance(message.value, RecordSet):
                yield tp, message
                continue
            progress = self._progress.get(tp)
            if progress is not None and progress.deliver(message.value.start, message.value.end):
                # Faust drops what ends before the last that it has seen, which may be of the old assignment.
                self._read_offset.pop(tp, None)
                yield tp, message

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Any:
        found = await super()._getmany(active_partitions=active_partitions, timeout=timeout)
        for tp, records in found.items():
            if isinstance(records[-1], RecordSet):
                self._fetched[tp] = records[-1].end
        return found

    async def _seek_skipped(self) -> None:
        wanted = {
            tp: progress.wanted
            for tp, progress in self._progress.items()
            if tp not in self._paused_partitions and self._fetched.get(tp, progress.wanted) != progress.wanted
        }
        if wanted and self.flow_active:
            # The partitions may go at any moment: then somebody else fetches from what is committed. The broker may not
            # answer: then this is done at the next call.
            with suppress(IllegalStateError, KafkaError):
                beginnings = await self.earliest_offsets(*wanted)
                for tp in [tp for tp, offset in wanted.items() if beginnings[tp] > offset]:
                    _log_gap(tp, wanted[tp], beginnings[tp])
                    self._progress[tp] = CommittableOffsets(beginnings[tp])
                    wanted[tp] = beginnings[tp]
                log.info("Fetching again what was passed over: %s.", wanted)
                await self.seek_wait(wanted)

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        """As Faust's, which begins a recovery so: what comes next of these partitions begins there."""
        for tp, offset in partitions.items():
            if tp.topic not in self.delivered_topics:
                self._progress[tp] = CommittableOffsets(offset)
            elif tp in self._progress:
                self._progress[tp].go_back(offset)
            self._fetched[tp] = offset
        await super().seek_wait(partitions)

    def behind(self) -> dict[TP, int]:
        """By what was acknowledged, and by what the broker said at the last fetch; `NOT_BEGUN` after an assignment."""
        if not self._assigned_in:
            return {}
        found = {}
        for tp in [tp for tp in self.assignment() if tp.topic in self.delivered_topics]:
            progress = self._progress.get(tp)
            if progress is None:
                found[tp] = NOT_BEGUN
            elif tp not in self._paused_partitions and progress.position < self._end_of(tp):
                found[tp] = progress.position
        return found

    def _end_of(self, tp: TP) -> int:
        try:
            return self.highwater(tp) or 0
        except AssertionError:
            # So aiokafka says that the partition has gone to another worker just now.
            return 0

    def ack(self, message: Any) -> bool:
        """All outputs of a message, one set, are durable."""
        if not isinstance(message.value, RecordSet):
            return bool(super().ack(message))
        progress = self._progress.get(message.tp)
        if progress is None or message.acked or message.generation_id != self.app.consumer_generation_id:
            return False
        message.acked = True
        progress.acknowledge(message.value.start, message.value.end)
        self._acked[message.tp].append(message.offset)
        return True

    def _new_offset(self, tp: TP) -> int | None:
        progress = self._progress.get(tp)
        if progress is None:
            offset: int | None = super()._new_offset(tp)
            return offset
        self._acked[tp].clear()
        return progress.advance()

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        if tp not in self._progress:
            await super()._add_gap(tp, offset_from, offset_to)

    async def on_partitions_revoked(self, revoked: Any) -> None:
        """What was delivered under the old assignment is fetched again under the new one."""
        await super().on_partitions_revoked(revoked)
        self._progress.clear()
        self._fetched.clear()

    async def on_partitions_assigned(self, assigned: Any, generation_id: int = 0) -> None:
        """Recovery begins; what agents may be given is known at its end."""
        self._assigned_in = self.app.rebalancing_count
        await super().on_partitions_assigned(assigned, generation_id)

    async def perform_seek(self) -> None:
        """Fetching begins anew at what is committed, or where the log begins now."""
        rebalance = self.app.rebalancing_count
        await super().perform_seek()
        places = [tp for tp in self.assignment() if tp.topic in self.delivered_topics]
        beginnings = await self.earliest_offsets(*places) if places else {}
        found = {}
        for tp in places:
            committed = self._committed_offset[tp]
            if committed is not None and committed < beginnings[tp]:
                _log_gap(tp, committed, beginnings[tp])
            found[tp] = CommittableOffsets(max(committed or 0, beginnings[tp]))
        self._sought = (rebalance, found)

    def resume_flow(self) -> None:
        """Faust has just emptied the agents' queues: from now on what is delivered arrives."""
        super().resume_flow()
        rebalance, sought = self._sought
        is_of_now = rebalance == self.app.rebalancing_count == self._assigned_in
        if is_of_now and sought and not self.app.in_recovery:
            recovered = {tp: one for tp, one in self._progress.items() if tp.topic not in self.delivered_topics}
            self._progress = recovered | sought
            self._sought = (rebalance, {})


def _log_gap(tp: TP, wanted: int, beginning: int) -> None:
    log.error(
        "%s, partition %d begins at %d, after the position %d: %d records have left the log unread. "
        "Send them again from where they came.",
        tp.topic,
        tp.partition,
        beginning,
        wanted,
        beginning - wanted,
    )


def use_record_sets(app: Any, delivered: Iterable[str], recovered: Iterable[str]) -> None:
    """Let the app fetch these topics as record sets: those that agents read, and those behind tables."""
    fetch_as_sets([*delivered, *recovered])
    _use(app, type("RecordSetConsumer", (RecordSetConsumer,), {"delivered_topics": frozenset(delivered)}))


def use_records(app: Any) -> None:
    """Let the app fetch every topic record by record."""
    _use(app, PausableConsumer)


def _use(app: Any, consumer: type) -> None:
    transport = type("AllianceTransport", (Transport,), {"Consumer": consumer})
    app.transport = transport(app.conf.broker_consumer, app)
