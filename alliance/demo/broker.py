"""The embedded broker: a Kafka log inside this process, for the demonstration and for tests.

In: topic names with their partition counts. Out: one broker on a free loopback port that speaks the real
protocol over TCP. It is librdkafka's mock cluster, from the library inside the confluent-kafka wheel.
Never: a broker for real check-ins.

Its limits: everything is in memory and gone with the process. Nothing is compacted or expires by time. A partition
drops its oldest records above RETAINED_BYTES_PER_PARTITION, for which librdkafka has no setting; a topic with a long
history needs more partitions. Each rebalance of a group after the first waits for its members' session timeout less a
second, so a quick restart needs a short timeout.
"""

import ctypes
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Self

RETAINED_BYTES_PER_PARTITION = 5 * 1024 * 1024
#: kafka-python needs this version given: it cannot read this broker's own list of versions. Faust can.
API_VERSION = (2, 3)

_PRODUCER = 0
_LOG_ERRORS_ONLY = b"3"
_REAL_BROKER = "use a real Kafka with: alliance demo --broker HOST:PORT"

_SIGNATURES: Mapping[str, tuple[object, tuple[object, ...]]] = {
    "rd_kafka_conf_new": (ctypes.c_void_p, ()),
    "rd_kafka_conf_set": (
        ctypes.c_int,
        (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_size_t),
    ),
    "rd_kafka_new": (ctypes.c_void_p, (ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t)),
    "rd_kafka_destroy": (None, (ctypes.c_void_p,)),
    "rd_kafka_err2str": (ctypes.c_char_p, (ctypes.c_int,)),
    "rd_kafka_mock_cluster_new": (ctypes.c_void_p, (ctypes.c_void_p, ctypes.c_int)),
    "rd_kafka_mock_cluster_bootstraps": (ctypes.c_char_p, (ctypes.c_void_p,)),
    "rd_kafka_mock_cluster_destroy": (None, (ctypes.c_void_p,)),
    "rd_kafka_mock_group_initial_rebalance_delay_ms": (None, (ctypes.c_void_p, ctypes.c_int32)),
    "rd_kafka_mock_topic_create": (
        ctypes.c_int,
        (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_int),
    ),
}


class EmbeddedBrokerError(Exception):
    """The embedded broker cannot start; the message is one sentence that says what to do."""


class EmbeddedBroker:
    """A one-broker Kafka cluster in this process, up from construction until `close()`.

    `topics` maps each topic to its number of partitions. A topic that is not named here appears on its first
    use, with four partitions.
    """

    def __init__(self, topics: Mapping[str, int]) -> None:
        self._library = _load_library()
        self._client: int | None = _new_client(self._library)
        self._cluster: int | None = self._library.rd_kafka_mock_cluster_new(self._client, 1)
        if not self._cluster:
            raise self._closed_because("no loopback port could be opened")
        self._bootstrap: str = self._library.rd_kafka_mock_cluster_bootstraps(self._cluster).decode()
        self._library.rd_kafka_mock_group_initial_rebalance_delay_ms(self._cluster, 0)
        for topic, partition_count in topics.items():
            self._create(topic, partition_count)

    @property
    def bootstrap(self) -> str:
        """Where clients connect, as 127.0.0.1:PORT."""
        return self._bootstrap

    def close(self) -> None:
        """Stop the broker and forget its records; a second call does nothing."""
        cluster, self._cluster = self._cluster, None
        client, self._client = self._client, None
        if cluster:
            self._library.rd_kafka_mock_cluster_destroy(cluster)
        if client:
            self._library.rd_kafka_destroy(client)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _create(self, topic: str, partition_count: int) -> None:
        if partition_count < 1:
            raise self._closed_because(f"topic {topic!r} needs at least 1 partition, not {partition_count}")
        code = self._library.rd_kafka_mock_topic_create(self._cluster, topic.encode(), partition_count, 1)
        if code:
            why = self._library.rd_kafka_err2str(code).decode()
            raise self._closed_because(f"topic {topic!r} was refused: {why}")

    def _closed_because(self, why: str) -> EmbeddedBrokerError:
        self.close()
        return _not_started(why)


def _not_started(why: str) -> EmbeddedBrokerError:
    return EmbeddedBrokerError(f"The embedded broker did not start ({why}); {_REAL_BROKER}.")


def _new_client(library: ctypes.CDLL) -> int:
    """The client that librdkafka needs for a mock cluster; it never connects anywhere."""
    configuration = library.rd_kafka_conf_new()
    library.rd_kafka_conf_set(configuration, b"log_level", _LOG_ERRORS_ONLY, None, 0)
    reason = ctypes.create_string_buffer(512)
    client: int | None = library.rd_kafka_new(_PRODUCER, configuration, reason, len(reason))
    if not client:
        raise _not_started(reason.value.decode())
    return client


def _load_library() -> ctypes.CDLL:
    """The first library of the confluent-kafka package that has a mock cluster, its functions declared."""
    spec = find_spec("confluent_kafka")
    if spec is None or spec.origin is None:
        raise EmbeddedBrokerError(
            "The embedded broker needs the confluent-kafka package; install it with: "
            f"pip install 'alliance-monitor[demo]', or {_REAL_BROKER}."
        )
    package = Path(spec.origin).parent
    for path in _libraries(package):
        library = ctypes.CDLL(str(path))
        if all(hasattr(library, name) for name in _SIGNATURES):
            return _declared(library)
    raise EmbeddedBrokerError(
        f"The confluent-kafka package in {package} brings no librdkafka with a mock cluster; install its "
        "wheel: pip install --force-reinstall --only-binary :all: 'confluent-kafka>=2.6', "
        f"or {_REAL_BROKER}."
    )


def _libraries(package: Path) -> Iterator[Path]:
    """Where librdkafka is: beside the package (Linux), inside it (macOS), or behind its extension module."""
    yield from sorted(package.parent.glob("confluent_kafka.libs/*rdkafka*"))
    yield from sorted(package.glob(".dylibs/*rdkafka*"))
    yield from sorted(package.glob("cimpl.*.so"))


def _declared(library: ctypes.CDLL) -> ctypes.CDLL:
    for name, (result, arguments) in _SIGNATURES.items():
        function = getattr(library, name)
        function.restype = result
        function.argtypes = list(arguments)
    return library
