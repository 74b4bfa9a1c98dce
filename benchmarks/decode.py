"""How fast an event is decoded: msgspec as `schemas.codec` uses it, and pydantic with the same rules.

In: the valid example events, without those at the limits of size and depth. Out: microseconds per event and events per
second on one core, the best of several rounds.
Never: a part of the product; pydantic comes with the gateway's FastAPI and is used here only.
"""

import json
import platform
import sys
import time
from collections.abc import Callable
from datetime import datetime
from importlib.metadata import version
from typing import Annotated, Any, Literal

import msgspec
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StrictFloat, StrictInt, TypeAdapter, create_model

from pipeline.core.acceptance import Accepted, accept
from schemas.codec import decode_event
from schemas.events import EVENT_TYPES, Event
from schemas.examples import SENT_AT_MS, examples
from schemas.instruments.registry import load_instruments

LARGEST = 2_000
MOST_BRACKETS = 10
ROUNDS = 25
ROUND_SECONDS = 0.2

Values = list[tuple[bytes, bytes]]


def pydantic_decoder() -> Callable[[bytes], Any]:
    """The same union of types, made of the same fields and limits, discriminated by `type`."""
    models = tuple(_model(event_type, event) for event_type, event in EVENT_TYPES.items())
    union: Any = models[0]
    for model in models[1:]:
        union = union | model
    return TypeAdapter(Annotated[union, Field(discriminator="type")]).validate_json


class Frozen(BaseModel):
    """As the structs are: frozen, unknown fields ignored, nothing converted."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")


def _model(event_type: str, event: type) -> type[BaseModel]:
    return _of_struct(event, {"type": (Literal[event_type], ...)})


def _of_struct(struct: type, more: dict[str, Any]) -> type[BaseModel]:
    fields: dict[str, Any] = {}
    for field in msgspec.structs.fields(struct):
        default = ... if field.default is msgspec.NODEFAULT else field.default
        fields[field.encode_name] = (_translated(msgspec.inspect.type_info(field.type)), default)
    return create_model(struct.__name__, __base__=Frozen, **more, **fields)


def _translated(info: msgspec.inspect.Type) -> Any:
    """The pydantic type of one field."""
    match info:
        case msgspec.inspect.Metadata():
            return _translated(info.type)
        case msgspec.inspect.UnionType():
            parts = [_translated(part) for part in info.types]
            union = parts[0]
            for part in parts[1:]:
                union = union | part
            return union
        case msgspec.inspect.StrType():
            return Annotated[str, Field(min_length=info.min_length, max_length=info.max_length)]
        case msgspec.inspect.IntType():
            return Annotated[StrictInt, Field(ge=info.ge, le=info.le)]
        case msgspec.inspect.FloatType():
            return StrictFloat
        case msgspec.inspect.DateTimeType():
            return AwareDatetime
        case msgspec.inspect.LiteralType():
            return Literal[info.values]
        case msgspec.inspect.DictType():
            return dict[str, _translated(info.value_type)]  # type: ignore[misc]
        case msgspec.inspect.StructType():
            return _of_struct(info.cls, {})
        case msgspec.inspect.NoneType():
            return None
        case _:
            raise TypeError(f"no pydantic type for {info}")


def check_agreement(values: Values, decode: Callable[[bytes], Any]) -> None:
    """Both decoders see the same instant in each event, or the comparison says nothing."""
    for _, value in values:
        ours: datetime = decode_event(value).time
        assert decode(value).time == ours


def best_seconds(act: Callable[[bytes, bytes], Any], values: Values) -> float:
    """Seconds per event in the best of the rounds."""
    best = float("inf")
    for _ in range(ROUNDS):
        done, start = 0, time.perf_counter()
        while (spent := time.perf_counter() - start) < ROUND_SECONDS:
            for key, value in values:
                act(key, value)
            done += len(values)
        best = min(best, spent / done)
    return best


def _is_usual(value: bytes) -> bool:
    return len(value) < LARGEST and value.count(b"[") + value.count(b"{") < MOST_BRACKETS


def main() -> int:
    """Measure and print."""
    values = [
        (example.key, example.value)
        for example in examples()
        if example.reason is None and example.key and example.value and _is_usual(example.value)
    ]
    instruments = load_instruments(None)
    bare: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)
    validate = pydantic_decoder()
    check_agreement(values, validate)
    assert all(isinstance(accept(value, key, SENT_AT_MS, instruments), Accepted) for key, value in values)
    candidates: dict[str, Callable[[bytes, bytes], Any]] = {
        "json.loads, no checks": lambda _, value: json.loads(value),
        "pydantic, same types": lambda _, value: validate(value),
        "msgspec decoder alone": lambda _, value: bare.decode(value),
        "decode_event": lambda _, value: decode_event(value),
        "accept, with scores": lambda key, value: accept(value, key, SENT_AT_MS, instruments),
    }
    size = sum(len(value) for _, value in values) / len(values)
    print(f"{len(values)} example events of {size:.0f} bytes on average, best of {ROUNDS} rounds, one core")
    print(f"Python {platform.python_version()}, msgspec {version('msgspec')}, pydantic {version('pydantic')}")
    for name, act in candidates.items():
        seconds = best_seconds(act, values)
        print(f"{name:24} {seconds * 1e6:7.2f} µs {1 / seconds:10,.0f} events/s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
