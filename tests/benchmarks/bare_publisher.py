"""What the broker itself takes: messages made ready beforehand, written to a socket as fast as confirms come back."""

import socket
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

import pamqp.commands as spec
import pamqp.exceptions
import pamqp.frame
from pamqp.body import ContentBody
from pamqp.header import ContentHeader

CHANNEL = 1
_UNDER_WAY = 2000  # as many as the relay publishes with one wait
_WRITTEN_AT_ONCE = 250


def confirmed_per_second(url: str, exchange: str, messages: Sequence[tuple[str, str, bytes]]) -> float:
    """Publishes each (routing key, message id, JSON body), persistent, and waits for every confirm."""
    blobs = [_frames(exchange, *message) for message in messages]
    connection = _Connection(url)
    try:
        started = time.perf_counter()
        sent = confirmed = upto = 0
        behind: set[int] = set()  # confirmed one by one, with a gap before them
        while confirmed < len(blobs):
            while sent < len(blobs) and sent - confirmed < _UNDER_WAY:
                connection.write(b"".join(blobs[sent : sent + _WRITTEN_AT_ONCE]))
                sent += min(_WRITTEN_AT_ONCE, len(blobs) - sent)
            frame = connection.read()
            if not isinstance(frame, spec.Basic.Ack):
                raise RuntimeError(f"the broker answered {frame!r} instead of a confirm")  # noqa: TRY004 - not a type
            if frame.multiple:
                upto = max(upto, frame.delivery_tag or 0)
                behind = {tag for tag in behind if tag > upto}
            else:
                behind.add(frame.delivery_tag or 0)
            confirmed = upto + len(behind)
        return len(blobs) / (time.perf_counter() - started)
    finally:
        connection.close()


class _Connection:
    """AMQP 0-9-1 with one channel that confirms."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._socket = socket.create_connection((parts.hostname or "localhost", parts.port or 5672), timeout=60)
        self._received = b""
        self._socket.sendall(b"AMQP\x00\x00\x09\x01")
        self.read()
        identity = f"\0{unquote(parts.username or '')}\0{unquote(parts.password or '')}"
        self._say(spec.Connection.StartOk(client_properties={}, mechanism="PLAIN", response=identity), channel=0)
        tune = self.read()
        self._say(spec.Connection.TuneOk(channel_max=CHANNEL, frame_max=tune.frame_max, heartbeat=0), channel=0)
        self._say(spec.Connection.Open(virtual_host=unquote(parts.path[1:]) or "/"), channel=0)
        self.read()
        for request in (spec.Channel.Open(), spec.Confirm.Select()):
            self._say(request)
            self.read()

    def write(self, frames: bytes) -> None:
        self._socket.sendall(frames)

    def read(self) -> Any:
        """The next frame."""
        while True:
            try:
                used, _, frame = pamqp.frame.unmarshal(self._received)
            except (pamqp.exceptions.UnmarshalingException, ValueError):
                more = self._socket.recv(65_536)
                if not more:
                    raise RuntimeError("the broker closed the connection") from None
                self._received += more
            else:
                self._received = self._received[used:]
                return frame

    def close(self) -> None:
        self._socket.close()

    def _say(self, frame: Any, *, channel: int = CHANNEL) -> None:
        self._socket.sendall(pamqp.frame.marshal(frame, channel))


def _frames(exchange: str, routing_key: str, message_id: str, body: bytes) -> bytes:
    properties = spec.Basic.Properties(delivery_mode=2, content_type="application/json", message_id=message_id)
    frames = (
        spec.Basic.Publish(exchange=exchange, routing_key=routing_key),
        ContentHeader(properties=properties, body_size=len(body)),
        ContentBody(body),
    )
    return b"".join(pamqp.frame.marshal(frame, CHANNEL) for frame in frames)
