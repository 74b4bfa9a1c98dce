"""The AsyncAPI document says what the code does: the same topics, keys, messages and processes, nothing else."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import schemas
from consumers.exporter.run import TOPICS as EXPORTER_TOPICS
from consumers.store.sink import TOPICS as STORE_TOPICS
from pipeline.ingest.admission import CONTENT_TYPE, HEADERS
from schemas import refusals
from schemas.events import EVENT_TYPES
from schemas.publish import INCOMING, OUTGOING
from schemas.refusals import Reason
from schemas.topics import CASES, EVENTS, FLAGS, REJECTED, THERAPISTS, TOPICS, Topic

Node = dict[str, Any]

HOME = Path(schemas.__file__).parent
DOCUMENT: Node = yaml.safe_load((HOME / "asyncapi.yaml").read_text(encoding="utf-8"))
CHANNELS: Node = DOCUMENT["channels"]
MESSAGES: Node = DOCUMENT["components"]["messages"]


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        node = list(node.values())
    if isinstance(node, list):
        for part in node:
            yield from references(part)


def resolved(reference: str) -> Any:
    """What a reference points to; a KeyError or FileNotFoundError when it points nowhere."""
    file, _, path = reference.partition("#")
    node = json.loads((HOME / file).read_bytes()) if file else DOCUMENT
    for step in filter(None, path.split("/")):
        node = node[step]
    return node


def channel_of(topic: Topic) -> Node:
    return next(channel for channel in CHANNELS.values() if channel["address"] == topic.name)


def messages_of(channel: Node) -> Node:
    return {name: resolved(reference["$ref"]) for name, reference in channel["messages"].items()}


def named(topic: Topic) -> str:
    return topic.name


def test_it_is_an_asyncapi_3_document() -> None:
    assert DOCUMENT["asyncapi"] == "3.0.0"


def test_there_is_a_channel_for_every_topic_and_no_other() -> None:
    assert [channel["address"] for channel in CHANNELS.values()] == [topic.name for topic in TOPICS]
    assert [channel["summary"] for channel in CHANNELS.values()] == [topic.purpose for topic in TOPICS]


@pytest.mark.parametrize("topic", TOPICS, ids=named)
def test_a_channel_is_configured_as_its_topic_is_created(topic: Topic) -> None:
    kafka = channel_of(topic)["bindings"]["kafka"]
    configuration = dict(kafka["topicConfiguration"])
    configuration["cleanup.policy"] = ",".join(configuration["cleanup.policy"])
    assert kafka["topic"] == topic.name
    assert {name: str(value) for name, value in configuration.items()} == topic.config


@pytest.mark.parametrize("topic", TOPICS, ids=named)
def test_every_message_of_a_channel_has_its_key(topic: Topic) -> None:
    keys = [
        resolved(message["bindings"]["$ref"])["kafka"]["key"]["title"]
        for message in messages_of(channel_of(topic)).values()
    ]
    assert set(keys) == {topic.key}


def test_the_events_channel_carries_every_type_and_no_other() -> None:
    assert list(CHANNELS["events"]["messages"]) == list(EVENT_TYPES)


def test_the_other_channels_carry_what_the_worker_writes() -> None:
    assert {name: list(channel["messages"]) for name, channel in CHANNELS.items() if name != "events"} == {
        "flags": ["flag", "flag-erased"],
        "cases": ["case-summary"],
        "therapists": ["therapist-summary"],
        "rejected": ["rejected"],
    }


@pytest.mark.parametrize("name", [*INCOMING, *OUTGOING])
def test_a_message_points_to_its_own_json_schema(name: str) -> None:
    assert MESSAGES[name]["payload"] == {"$ref": f"jsonschema/{name}.json"}


@pytest.mark.parametrize("name", EVENT_TYPES)
def test_an_event_has_the_content_type_that_the_gateway_and_send_add(name: str) -> None:
    assert [(CONTENT_TYPE, MESSAGES[name]["contentType"].encode())] == HEADERS


@pytest.mark.parametrize("name", EVENT_TYPES)
def test_an_event_is_described_in_the_words_of_its_json_schema(name: str) -> None:
    assert MESSAGES[name]["summary"] == resolved(f"jsonschema/{name}.json")["description"]


def test_every_reference_points_to_something() -> None:
    found = list(references(DOCUMENT))
    assert found
    assert all(resolved(reference) for reference in found)


def test_every_component_is_used() -> None:
    used = set(references(DOCUMENT))
    for kind, components in DOCUMENT["components"].items():
        assert {f"#/components/{kind}/{name}" for name in components} <= used


def test_a_rejected_record_carries_every_header_and_reason_of_the_code() -> None:
    headers = MESSAGES["rejected"]["headers"]
    ours = {value for name, value in vars(refusals).items() if name.startswith("HEADER_") and name != "HEADER_PREFIX"}
    assert set(headers["properties"]) == set(headers["required"]) == ours
    assert headers["properties"][refusals.HEADER_REASON]["enum"] == [reason.value for reason in Reason]


#: Process -> what it sends, what it receives.
PROCESSES = {
    "gateway": ({EVENTS}, set[str]()),
    "worker": ({FLAGS, CASES, REJECTED, THERAPISTS}, {EVENTS, CASES}),
    "store": (set[str](), set(STORE_TOPICS)),
    "exporter": (set[str](), set(EXPORTER_TOPICS)),
    "notifier": (set[str](), {FLAGS}),
}


@pytest.mark.parametrize("process", PROCESSES)
def test_a_process_sends_and_receives_what_its_operations_say(process: str) -> None:
    addresses: dict[str, set[str]] = {"send": set(), "receive": set()}
    for operation in DOCUMENT["operations"].values():
        if operation["tags"] == [{"name": process}]:
            addresses[operation["action"]].add(resolved(operation["channel"]["$ref"])["address"])
    assert (addresses["send"], addresses["receive"]) == PROCESSES[process]


def test_every_operation_is_named_after_who_does_what_where() -> None:
    for name, operation in DOCUMENT["operations"].items():
        process, channel = operation["tags"][0]["name"], operation["channel"]["$ref"].rpartition("/")[2]
        assert name == f"{process}-{operation['action']}s-{channel}"
        assert process in PROCESSES
