"""A network that misbehaves: a TCP proxy on the loopback between clients and one server.

In: the server's port; what is to be wrong with the network from now on. Out: a port for clients.
Never: a byte changed, doubled or put elsewhere; what TCP itself cannot do to a connection.
"""

import asyncio
import random
import threading
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from pipeline.runtime.processes import LOOPBACK

CHUNK = 16 * 1024


@dataclass(frozen=True)
class Weather:
    """What is wrong, each way; all of it may change while connections last."""

    latency_seconds: float = 0.0
    #: Added to the latency or taken from it, evenly.
    jitter_seconds: float = 0.0
    #: None: as fast as it goes.
    bytes_a_second: float | None = None
    #: Share of chunks at which the connection is reset.
    reset_share: float = 0.0
    #: Nothing gets through; connections stay as they are.
    is_black_hole: bool = False
    #: What the server sends no longer arrives; what clients send does.
    is_half_open: bool = False


FAIR = Weather()


class Proxy:
    """Listens from `start` to `close`; `weather` may be set at any time, from any thread."""

    def __init__(self, chance: random.Random, port: int) -> None:
        self.port = port
        self.weather = FAIR
        #: What happened, to show that it happened.
        self.connections = self.resets = self.bytes_carried = 0
        self._target = 0
        self._chance = chance
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server: asyncio.Server | None = None
        self._links: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    def to(self, port: int) -> Self:
        """Carry to this port of the loopback."""
        self._target = port
        return self

    def reset_all(self) -> None:
        """Every connection is reset now."""
        self._call(self._reset_all())

    def half_close_all(self) -> None:
        """The server's side of every connection ends; clients may still send, but nothing arrives."""
        self._call(self._half_close_all())

    async def _reset_all(self) -> None:
        for writer in list(self._writers):
            self.resets += 1
            writer.transport.abort()

    async def _half_close_all(self) -> None:
        for writer in list(self._writers):
            with suppress(OSError, RuntimeError):
                if writer.can_write_eof():
                    writer.write_eof()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            there, back = await asyncio.open_connection(LOOPBACK, self._target)
        except OSError:
            writer.transport.abort()
            return
        ends = {writer, back}
        self._writers |= ends
        for source, sink, is_from_server in ((reader, back, False), (there, writer, True)):
            link = asyncio.ensure_future(self._carry(source, sink, ends, is_from_server))
            self._links.add(link)
            link.add_done_callback(self._links.discard)

    async def _carry(
        self,
        source: asyncio.StreamReader,
        sink: asyncio.StreamWriter,
        ends: set[asyncio.StreamWriter],
        is_from_server: bool,
    ) -> None:
        try:
            while chunk := await source.read(CHUNK):
                await self._delay(chunk, is_from_server)
                if self._chance.random() < self.weather.reset_share:
                    self.resets += 1
                    break
                sink.write(chunk)
                await sink.drain()
                self.bytes_carried += len(chunk)
        except (OSError, RuntimeError):
            pass
        finally:
            for end in ends:
                end.transport.abort()
            self._writers -= ends

    async def _delay(self, chunk: bytes, is_from_server: bool) -> None:
        weather = self.weather
        while weather.is_black_hole or (weather.is_half_open and is_from_server):
            await asyncio.sleep(0.05)
            weather = self.weather
        seconds = weather.latency_seconds + self._chance.uniform(-1, 1) * weather.jitter_seconds
        if weather.bytes_a_second is not None:
            seconds += len(chunk) / weather.bytes_a_second
        if seconds > 0:
            await asyncio.sleep(seconds)

    def _call(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    def __enter__(self) -> Self:
        self._thread.start()

        async def listen() -> None:
            self._server = await asyncio.start_server(self._accept, LOOPBACK, self.port)

        self._call(listen())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        async def end() -> None:
            assert self._server is not None
            self._server.close()
            await self._reset_all()
            for link in list(self._links):
                link.cancel()
            await asyncio.gather(*self._links, return_exceptions=True)

        self._call(end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
