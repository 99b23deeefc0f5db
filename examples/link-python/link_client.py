"""A small client of link: unary calls and server streams with JSON, over TCP, TLS or a Unix socket.

Written from docs/reference/link.md with Python's standard library alone. One connection, one thread that reads; calls
may be made from any number of threads. It does not reconnect: a connection that is gone fails its calls with
UNAVAILABLE, and `untouched` says whether the server did certainly nothing for one.
"""

import collections
import json
import select
import socket
import ssl
import threading
import time
import urllib.parse
import zlib
from typing import Dict, Iterator, Optional

import link_wire as wire

STREAM_WINDOW = 256 * 1024
CONNECTION_WINDOW = 4 * 1024 * 1024
FRAME_BYTES_MAX = 64 * 1024
MESSAGE_BYTES_MAX = 16 * 1024 * 1024
METADATA_BYTES_MAX = 16 * 1024
DEFAULTS = {
    "frameBytesMax": 64 * 1024,
    "metadataBytesMax": 16 * 1024,
    "streamWindow": 256 * 1024,
    "connectionWindow": 4 * 1024 * 1024,
    "methodsMax": 256,
    "keepaliveMs": 10_000,
}
ALPN = "posthaste-link/1"
ANSWER_SECONDS = 5
NOTHING = object()


class LinkError(Exception):
    """A call failed; `code` is one of docs/reference/errors.md."""

    def __init__(self, code: str, message: str, untouched: bool = False, **more: object):
        super().__init__(f"[{code}] {message}")
        self.code = code
        self.message = message
        self.untouched = untouched
        self.verdict = more.get("verdict")
        self.remedy = more.get("remedy")
        self.issues = more.get("issues", [])
        self.details = more.get("details")
        self.retry_after_ms = more.get("retryAfterMs")


def _said(failure: Dict[str, object], untouched: bool = False) -> LinkError:
    known = {name: failure[name] for name in ("verdict", "remedy", "issues", "details", "retryAfterMs") if name in failure}
    return LinkError(str(failure["code"]), str(failure["message"]), untouched, **known)


class LinkClient:
    """A connection. `url` is link://host:port, links://host:port or link+unix:///path.

    Raises LinkError where there is no server that speaks link and lets this client in, ValueError where the URL is none.
    """

    def __init__(self, url: str, token: Optional[str] = None, tls: Optional[ssl.SSLContext] = None):
        self._streams: Dict[int, ServerStream] = {}
        self._methods: Dict[str, int] = {}
        self._last_id = 0
        self._hello = dict(DEFAULTS)
        self._credit = 0
        self._owed = 0
        self._gone: Optional[LinkError] = None
        self._going = False
        self._welcome = False
        # Guards all of the above, and tells of credit, messages and ends; writes happen under it, so ids go out in order.
        self._changed = threading.Condition()
        # OpenSSL does not read and write one connection at the same time.
        self._socket_lock = threading.RLock()
        self._reader = wire.FrameReader("server", self._take)
        self._socket = _connected(url, tls)
        hello = {
            "versions": [1],
            "agent": "link-python/1",
            "frameBytesMax": FRAME_BYTES_MAX,
            "metadataBytesMax": METADATA_BYTES_MAX,
            "streamWindow": STREAM_WINDOW,
            "connectionWindow": CONNECTION_WINDOW,
            "compression": ["gzip"],
        }
        if token is not None:
            hello["token"] = token
        self._write(wire.PREFACE + wire.encode_frame(wire.Frame(wire.HELLO, 0, 0, wire.encode_json(hello))))
        threading.Thread(target=self._read, name="link", daemon=True).start()
        with self._changed:
            if not self._changed.wait_for(lambda: self._welcome or self._gone, ANSWER_SECONDS):
                self._lose(LinkError("UNAVAILABLE", "the server did not answer HELLO", untouched=True))
            if self._gone:
                raise self._gone

    def call(
        self, method: str, payload: object = NOTHING, timeout: Optional[float] = None, metadata: Optional[Dict[str, str]] = None
    ) -> object:
        """One value in, one value out. `timeout` in seconds. Raises LinkError."""
        with self.stream(method, payload, timeout, metadata) as answers:
            return next(answers, None)

    def stream(
        self, method: str, payload: object = NOTHING, timeout: Optional[float] = None, metadata: Optional[Dict[str, str]] = None
    ) -> "ServerStream":
        """One value in, an iterator of values out. Leaving its `with` block cancels what is still to come."""
        body = None if payload is NOTHING else wire.encode_json(payload)
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._changed:
            if self._gone or self._going:
                raise LinkError("UNAVAILABLE", "the connection is gone, or going", untouched=True)
            self._last_id += 1
            stream = ServerStream(self, self._last_id, deadline, int(self._hello["streamWindow"]))
            self._streams[stream.id] = stream
            self._open(stream, method, timeout, metadata or {}, body)
        if body is not None and stream.unsent:
            self._send_rest(stream)
        return stream

    def close(self) -> None:
        """Cancels what runs, and closes."""
        with self._changed:
            for stream in list(self._streams.values()):
                self._cancel(stream, 0)
                stream.error = LinkError("CANCELLED", "the client was closed")
            self._write(wire.encode_frame(wire.Frame(wire.GOAWAY, 0, 0, bytes(4))))
            self._changed.notify_all()
            # A socket that is closed with something unread resets the connection, and what was sent last may be lost:
            # the server closes first.
            self._changed.wait_for(lambda: self._gone, ANSWER_SECONDS)
        self._lose(LinkError("CANCELLED", "the client was closed"))

    # Out.

    def _open(self, stream, method, timeout, metadata, body) -> None:
        number, name = self._number(method)
        timeout_ms = None if timeout is None else min(max(0, round(timeout * 1000)), wire.NO_TIMEOUT - 1)
        opening = wire.Opening(number, name, timeout_ms, self._codec(), metadata)
        frame = wire.encode_opening(stream.id, 0, opening)
        if body is None:
            frame.flags |= wire.LAST
        elif len(frame.payload) + len(body) <= self._hello["frameBytesMax"] and wire.credit_cost(len(body)) <= min(
            self._credit, stream.credit
        ):
            opening.body = body
            frame = wire.encode_opening(stream.id, wire.LAST, opening)
            self._spend(stream, len(body))
        else:
            stream.unsent = body
        self._write(wire.encode_frame(frame))

    def _number(self, method: str):
        """The number of a method, and its name where the server has to be told."""
        if method in self._methods:
            return self._methods[method], None
        if len(self._methods) >= self._hello["methodsMax"]:
            return wire.UNNUMBERED, method
        self._methods[method] = len(self._methods)
        return self._methods[method], method

    def _codec(self) -> int:
        if "application/json" not in self._hello["codecs"]:
            raise LinkError("UNIMPLEMENTED", "the server does not take JSON", untouched=True)
        return self._hello["codecs"].index("application/json")

    def _send_rest(self, stream) -> None:
        """Sends a message that did not fit into OPEN, piece by piece as credit comes."""
        at, body = 0, stream.unsent
        while True:
            with self._changed:
                if not self._changed.wait_for(lambda: stream.over or min(self._credit, stream.credit) >= 64, stream.left()):
                    return  # Its deadline has passed; whoever reads the answer says so.
                if stream.over:
                    return
                size = min(len(body) - at, self._credit, stream.credit, int(self._hello["frameBytesMax"]))
                self._spend(stream, size)
                last = at + size == len(body)
                frame = wire.Frame(wire.MESSAGE, stream.id, wire.LAST if last else wire.MORE, body[at : at + size])
                self._write(wire.encode_frame(frame))
            if last:
                return
            at += size

    def _spend(self, stream, size: int) -> None:
        stream.credit -= wire.credit_cost(size)
        self._credit -= wire.credit_cost(size)

    def _grant(self, stream: int, size: int) -> None:
        self._write(wire.encode_frame(wire.Frame(wire.CREDIT, stream, 0, size.to_bytes(4, "big"))))

    def _cancel(self, stream, reason: int) -> None:
        with self._changed:
            if not stream.over:
                stream.over = True
                del self._streams[stream.id]
                self._write(wire.encode_frame(wire.Frame(wire.CANCEL, stream.id, 0, bytes([reason]))))

    def _write(self, data: bytes) -> None:
        try:
            with self._socket_lock:
                self._socket.sendall(data)
        except OSError:
            pass  # The thread that reads finds out, and tells everybody.

    # In.

    def _read(self) -> None:
        asked = False
        try:
            while self._gone is None:
                chunk = self._receive(ANSWER_SECONDS if asked else int(self._hello["keepaliveMs"]) / 1000)
                if chunk:
                    asked = False
                    with self._changed:
                        self._reader.push(chunk)
                        self._changed.notify_all()
                elif chunk is not None:
                    return self._lose(LinkError("UNAVAILABLE", "the server closed the connection", not self._welcome))
                elif asked:
                    return self._lose(LinkError("UNAVAILABLE", "the server is not there any more"))
                else:
                    asked = True
                    self._write(wire.encode_frame(wire.Frame(wire.PING, 0, 0, bytes(8))))
        except wire.Violation as violation:
            if not self._welcome:
                return self._lose(LinkError("UNAVAILABLE", "what answers there does not speak link, or only over TLS", True))
            reason = wire.encode_json({"code": violation.code, "message": str(violation)})
            self._write(wire.encode_frame(wire.Frame(wire.GOAWAY, 0, 0, bytes(4) + reason)))
            self._lose(LinkError("INTERNAL", f"the server violates the protocol: {violation}"))
        except (OSError, TypeError, ValueError) as error:
            self._lose(LinkError("UNAVAILABLE", f"the connection was lost: {error}", untouched=not self._welcome))

    def _receive(self, seconds: float) -> Optional[bytes]:
        """What came, nothing at the end, None where there was silence."""
        pending = getattr(self._socket, "pending", lambda: 0)
        if not pending() and not select.select([self._socket], [], [], seconds)[0]:
            return None
        if not isinstance(self._socket, ssl.SSLSocket):
            return self._socket.recv(64 * 1024)
        with self._socket_lock:
            return self._socket.recv(64 * 1024)

    def _lose(self, error: LinkError) -> None:
        with self._changed:
            if self._gone is None:
                self._gone = error
                try:
                    self._socket.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
                self._socket.close()
            for stream in list(self._streams.values()):
                self._end(stream, error)
            self._changed.notify_all()

    def _end(self, stream, error: Optional[LinkError] = None) -> None:
        stream.over = True
        stream.error = stream.error or error
        self._streams.pop(stream.id, None)

    def _take(self, frame: wire.Frame) -> None:
        if frame.type == wire.MESSAGE:
            self._take_message(frame)
        elif frame.type == wire.HELLO:
            self._take_hello(frame)
        elif frame.type == wire.PING:
            if not frame.flags & wire.ACK:
                self._write(wire.encode_frame(wire.Frame(wire.PING, 0, wire.ACK, frame.payload)))
        elif frame.type == wire.GOAWAY:
            self._take_goaway(frame)
        elif frame.type == wire.CREDIT and frame.stream == 0:
            self._credit += wire.decode_u31(frame.payload, 1)
        else:
            self._take_stream_frame(frame)

    def _take_hello(self, frame: wire.Frame) -> None:
        hello = wire.decode_object(frame.payload)
        if hello.get("version") != 1 or not isinstance(hello.get("codecs"), list):
            raise wire.malformed("a HELLO without version 1 or codecs")
        self._hello.update(hello)
        self._credit = int(self._hello["connectionWindow"])
        self._reader.accept(FRAME_BYTES_MAX)
        self._welcome = True

    def _take_goaway(self, frame: wire.Frame) -> None:
        last = wire.decode_u31(frame.payload, 0)
        if len(frame.payload) > 4:
            error = _said(wire.decode_failure(frame.payload[4:]))
        else:
            error = LinkError("UNAVAILABLE", "the server is shutting down")
        for stream in [stream for stream in self._streams.values() if stream.id > last]:
            self._end(stream, LinkError(error.code, error.message, untouched=True))
        self._going = True
        if len(frame.payload) > 4 or not self._streams:
            self._lose(error)

    def _take_stream_frame(self, frame: wire.Frame) -> None:
        stream = self._streams.get(frame.stream)
        if stream is None:
            self._check_known(frame.stream)
        elif frame.type == wire.CREDIT:
            stream.credit += wire.decode_u31(frame.payload, 1)
        elif frame.type == wire.ERROR:
            self._end(stream, _said(wire.decode_failure(frame.payload), bool(frame.flags & wire.UNTOUCHED)))
        elif frame.type == wire.END:
            stream.metadata, _ = wire.decode_metadata(frame.payload, 0, METADATA_BYTES_MAX)
            self._end(stream)

    def _take_message(self, frame: wire.Frame) -> None:
        cost = wire.credit_cost(len(frame.payload))
        # The connection's credit goes back at once; a stream's when its message has been taken.
        self._owed += cost
        if self._owed >= CONNECTION_WINDOW // 2:
            self._grant(0, self._owed)
            self._owed = 0
        stream = self._streams.get(frame.stream)
        if stream is None:
            return self._check_known(frame.stream)
        stream.pieces += frame.payload
        if len(stream.pieces) > MESSAGE_BYTES_MAX:
            self._cancel(stream, 0)
            stream.error = LinkError("BODY_TOO_LARGE", "the answer is too large")
        elif frame.flags & wire.MORE:
            stream.owe(cost)
        else:
            stream.messages.append((bytes(stream.pieces), bool(frame.flags & wire.COMPRESSED), cost))
            stream.pieces.clear()
            if frame.flags & wire.LAST:
                self._end(stream)

    def _check_known(self, stream: int) -> None:
        if stream > self._last_id:
            raise wire.out_of_place(f"stream {stream} was never opened")


class ServerStream(Iterator[object]):
    """The answers to one call, each as it comes. Raises LinkError, after what came before it."""

    def __init__(self, client: LinkClient, id_: int, deadline: Optional[float], credit: int):
        self.id = id_
        self.metadata: Dict[str, str] = {}
        self.credit = credit
        self.unsent: Optional[bytes] = None
        self.over = False
        self.error: Optional[LinkError] = None
        self.messages: collections.deque = collections.deque()
        self.pieces = bytearray()
        self._client = client
        self._deadline = deadline
        self._owed = 0

    def __enter__(self) -> "ServerStream":
        return self

    def __exit__(self, *_: object) -> None:
        self.cancel()

    def cancel(self) -> None:
        """Gives up; does nothing once the stream is over."""
        self._client._cancel(self, 0)

    def __next__(self) -> object:
        changed = self._client._changed
        with changed:
            if not changed.wait_for(lambda: self.messages or self.over, self.left()):
                self._client._cancel(self, 1)
                self.error = LinkError("DEADLINE_EXCEEDED", "no answer in time")
            if not self.messages:
                if self.error:
                    raise self.error
                raise StopIteration
            body, compressed, cost = self.messages.popleft()
            self.owe(cost)
        try:
            return json.loads(_decompressed(body) if compressed else body)
        except ValueError:
            raise LinkError("BODY_MALFORMED", "the answer is not JSON") from None

    def left(self) -> Optional[float]:
        """Seconds until the deadline."""
        return None if self._deadline is None else max(0.0, self._deadline - time.monotonic())

    def owe(self, cost: int) -> None:
        """Gives credit back, half a window at a time."""
        self._owed += cost
        if self._owed >= STREAM_WINDOW // 2 and not self.over:
            self._client._grant(self.id, self._owed)
            self._owed = 0


def _decompressed(body: bytes) -> bytes:
    inflate = zlib.decompressobj(31)
    try:
        plain = inflate.decompress(body, MESSAGE_BYTES_MAX)
    except zlib.error as error:
        raise LinkError("BODY_MALFORMED", f"the answer is not compressed as it says: {error}") from None
    if not inflate.eof:
        raise LinkError("BODY_TOO_LARGE", "the answer is too large, or ends within")
    return plain


def _connected(url: str, tls: Optional[ssl.SSLContext]):
    try:
        return _connect(url, tls)
    except socket.timeout as error:
        raise LinkError("UNAVAILABLE", f"cannot reach {url}: it does not answer", untouched=True) from error
    except ssl.SSLError as error:
        why = getattr(error, "verify_message", None) or error.reason or error
        raise LinkError("UNAVAILABLE", f"no TLS with {url}: {why}", untouched=True) from error
    except OSError as error:
        raise LinkError("UNAVAILABLE", f"cannot reach {url}: {error.strerror or error}", untouched=True) from error


def _connect(url: str, tls: Optional[ssl.SSLContext]):
    parts = urllib.parse.urlsplit(url)
    if parts.scheme == "link+unix":
        unix = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        unix.connect(urllib.parse.unquote(parts.path))
        return unix
    if parts.scheme not in ("link", "links") or not parts.hostname:
        raise ValueError(f"{url!r} is no URL of link: link://host:port, links://host:port, link+unix:///path")
    connection = socket.create_connection((parts.hostname, parts.port or 7420), ANSWER_SECONDS)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if parts.scheme == "links":
        context = tls or ssl.create_default_context()
        context.set_alpn_protocols([ALPN])
        connection = context.wrap_socket(connection, server_hostname=parts.hostname)
        if connection.selected_alpn_protocol() != ALPN:
            connection.close()
            raise OSError("the server speaks TLS, but not link")
    connection.settimeout(None)
    return connection
