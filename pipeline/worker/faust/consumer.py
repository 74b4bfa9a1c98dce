"""Faust's Kafka consumer: it can pause single partitions, and it delivers whole record sets.

In: record sets (`record_sets`). Out: one Faust message for each set; the offsets to commit, along what is acknowledged.
Never: commit past a set whose outputs are not durable. Faust counts single offsets and takes those between two messages
as done, so its count is not used for these topics.
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

#: The position of a partition that was assigned and from which nothing has been fetched yet.
NOT_FETCHED_YET = -1


class PausableConsumer(Consumer):  # type: ignore[misc]
    """A single partition can be paused, and resumed from an offset if nothing after that offset has been committed."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._resume_offsets: dict[TP, int] = {}

    def pause(self, tp: TP) -> None:
        """Deliver no more records of a partition. Faust skips what it has fetched already: `resume_from` seeks back."""
        self.pause_partitions({tp})

    def resume_from(self, tp: TP, offset: int) -> None:
        """Deliver the partition again, from this offset on."""
        self._resume_offsets[tp] = offset

    def lagging_positions(self) -> dict[TP, int]:
        """The position of each partition that has unprocessed records and is not paused. Known for record sets only."""
        return {}

    def has_lost_membership(self) -> bool:
        """Whether the group has removed this worker, so that others may have its partitions already."""
        # Private: only aiokafka's group coordinator knows the member id. It resets the id when it loses membership.
        return bool(self._thread._ensure_consumer()._coordinator.member_id == JoinGroupRequest.UNKNOWN_MEMBER_ID)

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Any]]:
        """As Faust's. Partitions are resumed here: between two calls no fetched message is still to be delivered."""
        # Private: Faust's own answer to which partitions it fetches from now.
        if not self._get_active_partitions():
            await self._thread.call_thread(self._stay_a_member)
        for tp in list(self._resume_offsets):
            await self._seek_and_resume(tp)
        async for tp, message in super().getmany(timeout):
            yield tp, message

    async def _stay_a_member(self) -> None:
        """Tell aiokafka that this worker is alive although it fetches nothing, since it has no partitions.

        aiokafka would otherwise leave the group after `max_poll_interval` and not join again.
        """
        # Private: an empty fetch; only a fetch resets the time from which aiokafka counts.
        with self._thread._ensure_consumer()._fetcher._subscriptions.fetch_context():
            pass

    async def _seek_and_resume(self, tp: TP) -> None:
        offset = self._resume_offsets.pop(tp)
        if self.flow_active and tp in self.assignment():
            await self.seek_wait({tp: offset})
            self.resume_partitions({tp})

    async def on_partitions_revoked(self, revoked: Any) -> None:
        """Under the new assignment fetching begins at the committed offset, which is before any pause."""
        self._resume_offsets.clear()
        await super().on_partitions_revoked(revoked)


class RecordSetConsumer(PausableConsumer):
    """Delivers the record sets of each partition in order and without a gap; other topics are left to Faust.

    Faust loses a set in two ways that nothing else would notice. First, it skips what it has fetched of a partition
    that is paused at that moment: before the next fetch such a partition is sought back. Second, when Faust resumes
    after a rebalance, it empties the agents' queues, and with them what it has already delivered under the new
    assignment: nothing is delivered to an agent before that moment.
    """

    #: The topics whose sets go to agents and are committed. The other record sets are from changelogs: they are
    #: recovered from and never committed.
    delivered_topics: frozenset[str] = frozenset()

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        #: The partitions whose sets may be delivered now.
        self._offsets: dict[TP, CommittableOffsets] = {}
        #: The partitions whose sets may be delivered once Faust resumes, and the rebalance in which that was found out.
        self._next_offsets: tuple[int, dict[TP, CommittableOffsets]] = (0, {})
        #: The latest rebalance that has ended, in Faust's count of rebalances that have begun.
        self._assigned_in = 0
        #: Up to where each partition was fetched. The next fetch begins there unless a seek changes it.
        self._fetched: dict[TP, int] = {}

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Any]]:
        """As Faust's, without the sets that are not next in their partition."""
        await self._seek_skipped()
        async for tp, message in super().getmany(timeout):
            if not isinstance(message.value, RecordSet):
                yield tp, message
                continue
            offsets = self._offsets.get(tp)
            if offsets is not None and offsets.deliver(message.value.start, message.value.end):
                # Private: Faust drops a message whose offset is below the last one it has read, and that one may be
                # from the assignment before.
                self._read_offset.pop(tp, None)
                yield tp, message

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Any:
        # Private: the one place where what was fetched is seen before Faust skips any of it.
        found = await super()._getmany(active_partitions=active_partitions, timeout=timeout)
        for tp, records in found.items():
            if isinstance(records[-1], RecordSet):
                self._fetched[tp] = records[-1].end
        return found

    async def _seek_skipped(self) -> None:
        skipped = {
            tp: offsets.next_start
            for tp, offsets in self._offsets.items()
            # Private: Faust's own set; there is no public way to ask which partitions are paused.
            if tp not in self._paused_partitions and self._fetched.get(tp, offsets.next_start) != offsets.next_start
        }
        if skipped and self.flow_active:
            # The partitions may be revoked at any moment: then another worker fetches from the committed offset. The
            # broker may not answer: then the next call tries again.
            with suppress(IllegalStateError, KafkaError):
                beginnings = await self.earliest_offsets(*skipped)
                for tp in [tp for tp, offset in skipped.items() if beginnings[tp] > offset]:
                    _log_gap(tp, skipped[tp], beginnings[tp])
                    self._offsets[tp] = CommittableOffsets(beginnings[tp])
                    skipped[tp] = beginnings[tp]
                log.info("Fetching again what Faust skipped: %s.", skipped)
                await self.seek_wait(skipped)

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        """As Faust's, which also begins each recovery with it: the next set of these partitions begins here."""
        for tp, offset in partitions.items():
            if tp.topic not in self.delivered_topics:
                self._offsets[tp] = CommittableOffsets(offset)
            elif tp in self._offsets:
                self._offsets[tp].deliver_again_from(offset)
            self._fetched[tp] = offset
        await super().seek_wait(partitions)

    def lagging_positions(self) -> dict[TP, int]:
        """By what is acknowledged and the partition's end at the last fetch; `NOT_FETCHED_YET` after a rebalance."""
        if not self._assigned_in:
            return {}
        found = {}
        for tp in [tp for tp in self.assignment() if tp.topic in self.delivered_topics]:
            offsets = self._offsets.get(tp)
            if offsets is None:
                found[tp] = NOT_FETCHED_YET
            elif tp not in self._paused_partitions and offsets.position < self._end_of(tp):
                found[tp] = offsets.position
        return found

    def _end_of(self, tp: TP) -> int:
        try:
            return self.highwater(tp) or 0
        except AssertionError:
            # aiokafka raises this if the partition has just gone to another worker.
            return 0

    def ack(self, message: Any) -> bool:
        """All outputs of a message, one record set, are durable."""
        if not isinstance(message.value, RecordSet):
            return bool(super().ack(message))
        offsets = self._offsets.get(message.tp)
        if offsets is None or message.acked or message.generation_id != self.app.consumer_generation_id:
            return False
        message.acked = True
        offsets.acknowledge(message.value.start, message.value.end)
        # Private: Faust's commit asks for `_new_offset` only of partitions that have an entry here.
        self._acked[message.tp].append(message.offset)
        return True

    def _new_offset(self, tp: TP) -> int | None:
        # Private: from this answer Faust commits. Its own would be the highest offset without a gap in `_acked`.
        offsets = self._offsets.get(tp)
        if offsets is None:
            offset: int | None = super()._new_offset(tp)
            return offset
        self._acked[tp].clear()
        return offsets.advance()

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        # Private: Faust would mark the offsets between two messages as acknowledged. Record sets leave none out.
        if tp not in self._offsets:
            await super()._add_gap(tp, offset_from, offset_to)

    async def on_partitions_revoked(self, revoked: Any) -> None:
        """What was delivered under the old assignment is fetched again under the new one."""
        await super().on_partitions_revoked(revoked)
        self._offsets.clear()
        self._fetched.clear()

    async def on_partitions_assigned(self, assigned: Any, generation_id: int = 0) -> None:
        """Recovery begins; at its end `perform_seek` finds out what may be delivered."""
        self._assigned_in = self.app.rebalancing_count
        await super().on_partitions_assigned(assigned, generation_id)

    async def perform_seek(self) -> None:
        """As Faust's: fetching begins at the committed offset, or where the log now begins if that is later."""
        rebalance = self.app.rebalancing_count
        await super().perform_seek()
        tps = [tp for tp in self.assignment() if tp.topic in self.delivered_topics]
        beginnings = await self.earliest_offsets(*tps) if tps else {}
        found = {}
        for tp in tps:
            # Private: filled by Faust's `perform_seek`; asking the broker again might give another answer.
            committed = self._committed_offset[tp]
            if committed is not None and committed < beginnings[tp]:
                _log_gap(tp, committed, beginnings[tp])
            found[tp] = CommittableOffsets(max(committed or 0, beginnings[tp]))
        self._next_offsets = (rebalance, found)

    def resume_flow(self) -> None:
        """Called by Faust when it has just emptied the agents' queues: what is delivered from now on arrives."""
        super().resume_flow()
        rebalance, next_offsets = self._next_offsets
        is_latest = rebalance == self.app.rebalancing_count == self._assigned_in
        if is_latest and next_offsets and not self.app.in_recovery:
            changelogs = {tp: offsets for tp, offsets in self._offsets.items() if tp.topic not in self.delivered_topics}
            self._offsets = changelogs | next_offsets
            self._next_offsets = (rebalance, {})


def _log_gap(tp: TP, position: int, beginning: int) -> None:
    log.error(
        "%s, partition %d now begins at offset %d, after this worker's position %d: Kafka deleted %d records before "
        "they were read. Send them again from their source.",
        tp.topic,
        tp.partition,
        beginning,
        position,
        beginning - position,
    )


def use_record_sets(app: Any, delivered: Iterable[str], recovered: Iterable[str]) -> None:
    """Let the app fetch these topics as record sets: those that agents read, and the changelogs behind tables."""
    fetch_as_sets([*delivered, *recovered])
    use_consumer(app, type("RecordSetConsumer", (RecordSetConsumer,), {"delivered_topics": frozenset(delivered)}))


def use_consumer(app: Any, consumer: type) -> None:
    """Let the app consume with a class of this project; Faust has no setting for it, only the transport's attribute."""
    transport = type("AllianceTransport", (Transport,), {"Consumer": consumer})
    app.transport = transport(app.conf.broker_consumer, app)
