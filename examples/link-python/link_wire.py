"""Frames of link, as docs/reference/link.md tells them: bytes to frames and back. No sockets here."""

import json
import struct
from dataclasses import dataclass, field
from typing import Callable, Dict, Optional, Tuple

PREFACE = b"PHLINK\r\n"
HEADER_BYTES = 9
FIRST_FRAME_BYTES = 16 * 1024
NO_TIMEOUT = 0xFFFFFFFF
UNNUMBERED = 0xFFFF

HELLO, OPEN, MESSAGE, END, ERROR, CANCEL, CREDIT, PING, GOAWAY = range(9)
NAMES = ["HELLO", "OPEN", "MESSAGE", "END", "ERROR", "CANCEL", "CREDIT", "PING", "GOAWAY"]

LAST, BODY, NAMED, COMPRESSED, MORE = 0x01, 0x02, 0x04, 0x08, 0x10
UNTOUCHED = ACK = 0x01
SKIPPABLE = 0x80

# By type: flags, least and most bytes of the payload (None: any), where (0 connection, 1 stream, 2 either), only from.
RULES = [
    (0, 2, FIRST_FRAME_BYTES, 0, None),
    (LAST | BODY | NAMED | COMPRESSED | MORE, 9, None, 1, "client"),
    (LAST | COMPRESSED | MORE, 0, None, 1, None),
    (0, 2, None, 1, None),
    (UNTOUCHED, 2, None, 1, "server"),
    (0, 1, 1, 1, "client"),
    (0, 4, 4, 2, None),
    (ACK, 8, 8, 0, None),
    (0, 4, None, 0, None),
]


class Violation(Exception):
    """The other side sent what is against the protocol; `code` is what a GOAWAY says of it."""

    def __init__(self, code: str, message: str):
        super().__init__(f"[{code}] {message}")
        self.code = code


def malformed(message: str) -> Violation:
    return Violation("BODY_MALFORMED", message)


def out_of_place(message: str) -> Violation:
    return Violation("FAILED_PRECONDITION", message)


def credit_cost(size: int) -> int:
    """Credit that a frame with so many bytes of a message takes."""
    return max(64, size)


@dataclass
class Frame:
    type: int
    stream: int = 0
    flags: int = 0
    payload: bytes = b""


@dataclass
class Opening:
    method: int
    name: Optional[str] = None
    timeout_ms: Optional[int] = None
    codec: int = 0
    metadata: Dict[str, str] = field(default_factory=dict)
    body: Optional[bytes] = None


def encode_frame(frame: Frame) -> bytes:
    size = len(frame.payload)
    return struct.pack(">I", size)[1:] + struct.pack(">BBI", frame.type, frame.flags, frame.stream) + frame.payload


def encode_metadata(metadata: Dict[str, str]) -> bytes:
    parts = [struct.pack(">H", len(metadata))]
    for name, value in metadata.items():
        raw, text = name.encode("ascii"), value.encode("utf-8")
        if not _is_name(raw) or len(text) > 0xFFFF:
            raise ValueError(f"metadata {name!r}: names are 1 to 255 lower-case visible ASCII, values at most 65,535 bytes")
        parts.append(struct.pack(">B", len(raw)) + raw + struct.pack(">H", len(text)) + text)
    return b"".join(parts)


def decode_metadata(payload: bytes, at: int, bytes_max: int) -> Tuple[Dict[str, str], int]:
    """Names and values, and the offset after them."""
    start = at
    (pairs,), at = _take(payload, at, ">H")
    metadata: Dict[str, str] = {}
    for _ in range(pairs):
        (size,), at = _take(payload, at, ">B")
        raw, at = _slice(payload, at, size)
        (size,), at = _take(payload, at, ">H")
        text, at = _slice(payload, at, size)
        if at - start > bytes_max:
            raise Violation("BODY_TOO_LARGE", f"metadata has more than {bytes_max} bytes")
        if not _is_name(raw) or raw.decode("ascii") in metadata:
            raise malformed("metadata has a name that is not allowed, or one twice")
        metadata[raw.decode("ascii")] = decode_text(text)
    return metadata, at


def encode_opening(stream: int, flags: int, opening: Opening) -> Frame:
    payload = struct.pack(">H", opening.method)
    if opening.name is not None:
        name = opening.name.encode("utf-8")
        payload += struct.pack(">B", len(name)) + name
        flags |= NAMED
    timeout_ms = NO_TIMEOUT if opening.timeout_ms is None else opening.timeout_ms
    payload += struct.pack(">IB", timeout_ms, opening.codec) + encode_metadata(opening.metadata)
    if opening.body is not None:
        payload += opening.body
        flags |= BODY
    return Frame(OPEN, stream, flags, payload)


def decode_opening(frame: Frame, metadata_bytes_max: int) -> Opening:
    payload = frame.payload
    (method,), at = _take(payload, 0, ">H")
    name = None
    if frame.flags & NAMED:
        (size,), at = _take(payload, at, ">B")
        raw, at = _slice(payload, at, size)
        if size == 0:
            raise malformed("OPEN with an empty name")
        name = decode_text(raw)
    (timeout_ms, codec), at = _take(payload, at, ">IB")
    metadata, at = decode_metadata(payload, at, metadata_bytes_max)
    body = payload[at:] if frame.flags & BODY else None
    if body is None and at != len(payload):
        raise malformed("OPEN has bytes after its metadata")
    return Opening(method, name, None if timeout_ms == NO_TIMEOUT else timeout_ms, codec, metadata, body)


def encode_json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def decode_object(payload: bytes) -> Dict[str, object]:
    try:
        value = json.loads(decode_text(payload))
    except ValueError:
        raise malformed("a payload is not JSON") from None
    if not isinstance(value, dict):
        raise malformed("a payload is no JSON object")
    return value


def decode_failure(payload: bytes) -> Dict[str, object]:
    """What an ERROR says, or a GOAWAY after its first 4 bytes."""
    failure = decode_object(payload)
    if not isinstance(failure.get("code"), str) or not isinstance(failure.get("message"), str):
        raise malformed("an error without code or message")
    return failure


def decode_text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise malformed("text is not UTF-8") from None


def decode_u31(payload: bytes, least: int) -> int:
    (value,) = struct.unpack_from(">I", payload)
    if not least <= value <= 0x7FFFFFFF:
        raise malformed(f"{value} is not from {least} to 2^31-1")
    return value


class FrameReader:
    """Cuts what one side sends into frames, however it comes, and checks their structure."""

    def __init__(self, sender: str, take: Callable[[Frame], None]):
        self.sender = sender
        self.frame_bytes_max = FIRST_FRAME_BYTES
        # A client's HELLO comes after the preface; nothing comes after HELLO until `accept`.
        self.phase = "preface" if sender == "client" else "hello"
        self._take = take
        self._kept = bytearray()

    def accept(self, frame_bytes_max: int) -> None:
        """Both HELLOs are said."""
        self.phase = "open"
        self.frame_bytes_max = frame_bytes_max

    def push(self, chunk: bytes) -> None:
        self._kept += chunk
        if self.phase == "preface" and not self._read_preface():
            return
        while len(self._kept) >= HEADER_BYTES:
            size = int.from_bytes(self._kept[0:3], "big")
            type_, flags, stream = struct.unpack_from(">BBI", self._kept, 3)
            self._check_head(type_, size)
            if len(self._kept) < HEADER_BYTES + size:
                return
            payload = bytes(self._kept[HEADER_BYTES : HEADER_BYTES + size])
            del self._kept[: HEADER_BYTES + size]
            self._hand(Frame(type_, stream, flags, payload))

    def _read_preface(self) -> bool:
        if not PREFACE.startswith(bytes(self._kept[: len(PREFACE)])):
            raise malformed("no link client")
        if len(self._kept) < len(PREFACE):
            return False
        del self._kept[: len(PREFACE)]
        self.phase = "hello"
        return True

    def _check_head(self, type_: int, size: int) -> None:
        if self.phase == "greeted":
            raise out_of_place("a frame before HELLO was answered")
        if self.phase == "hello" and type_ != HELLO and not (type_ == GOAWAY and self.sender == "server"):
            raise out_of_place("the first frame is not HELLO")
        if size > self.frame_bytes_max:
            raise Violation("BODY_TOO_LARGE", f"a frame of {size} bytes")

    def _hand(self, frame: Frame) -> None:
        if frame.stream > 0x7FFFFFFF:
            raise malformed("a stream above 2^31-1")
        if frame.type >= len(RULES):
            if frame.stream != 0 and not frame.flags & SKIPPABLE:
                raise malformed(f"a frame of the unknown type {frame.type}")
            return
        _check_structure(frame, self.sender)
        if frame.type == HELLO:
            if self.phase == "open":
                raise out_of_place("HELLO twice")
            self.phase = "greeted"
        self._take(frame)


def _check_structure(frame: Frame, sender: str) -> None:
    flags, least, most, where, only = RULES[frame.type]
    name, size = NAMES[frame.type], len(frame.payload)
    if only not in (None, sender):
        raise out_of_place(f"{name} from the {sender}")
    if where != 2 and (frame.stream != 0) != (where == 1):
        raise malformed(f"{name} on stream {frame.stream}")
    if frame.flags & ~flags:
        raise malformed(f"{name} with flags {frame.flags:#x}")
    if size < least or (most is not None and size > most):
        raise malformed(f"{name} with {size} bytes")
    if frame.type not in (OPEN, MESSAGE):
        return
    if frame.type == OPEN and not frame.flags & BODY and frame.flags & (COMPRESSED | MORE):
        raise malformed("OPEN with flags of a message it does not have")
    if frame.flags & MORE and (frame.flags & (LAST | COMPRESSED) or size == 0):
        raise malformed(f"{name}: a piece that goes on is not empty, not the last one and not marked as compressed")


def _is_name(raw: bytes) -> bool:
    return 1 <= len(raw) <= 255 and all(0x21 <= byte <= 0x7E and not 0x41 <= byte <= 0x5A for byte in raw)


def _take(payload: bytes, at: int, form: str) -> Tuple[Tuple[int, ...], int]:
    size = struct.calcsize(form)
    if at + size > len(payload):
        raise malformed("a payload is cut short")
    return struct.unpack_from(form, payload, at), at + size


def _slice(payload: bytes, at: int, size: int) -> Tuple[bytes, int]:
    if at + size > len(payload):
        raise malformed("a payload is cut short")
    return payload[at : at + size], at + size
