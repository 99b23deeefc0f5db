"""Reads and writes the test vectors of docs/reference/link.md. Prints what differs; exits with 1 where anything does."""

import json
import pathlib
import re
import sys

import link_wire as wire

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "reference" / "link.md"
FLAGS = {"LAST": wire.LAST, "COMPRESSED": wire.COMPRESSED, "MORE": wire.MORE, "UNTOUCHED": wire.UNTOUCHED, "ACK": wire.ACK}
HELLOS = {"client": {"versions": [1]}, "server": {"version": 1, "codecs": []}}


def encode(frame):
    """A frame from what the vectors say of it."""
    kind, stream = frame["type"], frame.get("stream", 0)
    flags = sum(FLAGS[flag] for flag in frame.get("flags", []))
    type_ = wire.NAMES.index(kind)
    if kind == "OPEN":
        body = None if "body" not in frame else bytes.fromhex(frame["body"])
        opening = wire.Opening(
            frame["method"], frame.get("name"), frame.get("timeoutMs"), frame["codec"], frame["metadata"], body
        )
        return wire.encode_frame(wire.encode_opening(stream, flags, opening))
    if kind == "MESSAGE":
        payload = bytes.fromhex(frame["body"])
    elif kind == "END":
        payload = wire.encode_metadata(frame["metadata"])
    elif kind == "CANCEL":
        payload = bytes([frame["reason"]])
    elif kind == "CREDIT":
        payload = frame["bytes"].to_bytes(4, "big")
    elif kind == "PING":
        payload = bytes.fromhex(frame["data"])
    elif kind == "GOAWAY":
        payload = frame["last"].to_bytes(4, "big")
        payload += wire.encode_json(frame["payload"]) if "payload" in frame else b""
    else:
        payload = wire.encode_json(frame["payload"])
    return wire.encode_frame(wire.Frame(type_, stream, flags, payload))


def decode(frame):
    """What the vectors would say of a frame."""
    told = {"type": wire.NAMES[frame.type]}
    if frame.type not in (wire.HELLO, wire.PING, wire.GOAWAY):
        told["stream"] = frame.stream
    if frame.type in (wire.OPEN, wire.MESSAGE):
        told["flags"] = [name for name in ("LAST", "COMPRESSED", "MORE") if frame.flags & FLAGS[name]]
    if frame.type == wire.HELLO:
        told["payload"] = check_hello(wire.decode_object(frame.payload))
    elif frame.type == wire.OPEN:
        opening = wire.decode_opening(frame, 16 * 1024)
        told.update(method=opening.method, codec=opening.codec, metadata=opening.metadata)
        if opening.name is not None:
            told["name"] = opening.name
        if opening.timeout_ms is not None:
            told["timeoutMs"] = opening.timeout_ms
        if opening.body is not None:
            told["body"] = opening.body.hex()
    elif frame.type == wire.MESSAGE:
        told["body"] = frame.payload.hex()
    elif frame.type == wire.END:
        told["metadata"], end = wire.decode_metadata(frame.payload, 0, 16 * 1024)
        if end != len(frame.payload):
            raise wire.malformed("END has bytes after its metadata")
    elif frame.type == wire.ERROR:
        told.update(flags=["UNTOUCHED"] if frame.flags else [], payload=wire.decode_failure(frame.payload))
    elif frame.type == wire.CANCEL:
        told["reason"] = frame.payload[0]
    elif frame.type == wire.CREDIT:
        told["bytes"] = wire.decode_u31(frame.payload, 1)
    elif frame.type == wire.PING:
        told.update(flags=["ACK"] if frame.flags else [], data=frame.payload.hex())
    elif frame.type == wire.GOAWAY:
        told["last"] = wire.decode_u31(frame.payload, 0)
        if len(frame.payload) > 4:
            told["payload"] = wire.decode_failure(frame.payload[4:])
    return told


def check_hello(hello):
    """What this client and its check need of a HELLO; a server would look at every member."""
    if "version" not in hello and not isinstance(hello.get("versions"), list):
        raise wire.malformed("HELLO without versions")
    if "version" in hello and not isinstance(hello.get("codecs"), list):
        raise wire.malformed("HELLO without codecs")
    if hello.get("frameBytesMax", wire.FIRST_FRAME_BYTES) < wire.FIRST_FRAME_BYTES:
        raise wire.malformed("HELLO with a frameBytesMax below 16 KiB")
    if 1 not in hello.get("versions", [hello.get("version")]):
        raise wire.Violation("UNIMPLEMENTED", "no common version")
    return hello


def reading(sender, opening):
    """A reader past both HELLOs, or at the beginning, and where it puts what it reads."""
    frames = []

    def take(frame):
        frames.append(decode(frame))
        if frame.type == wire.HELLO:
            reader.accept(64 * 1024)

    reader = wire.FrameReader(sender, take)
    if not opening:
        hello = wire.encode_frame(wire.Frame(wire.HELLO, 0, 0, wire.encode_json(HELLOS[sender])))
        reader.push((wire.PREFACE if sender == "client" else b"") + hello)
        frames.clear()
    return reader, frames


def check_frames(vector):
    raw = bytes.fromhex(vector["hex"])
    opens = bool(vector["frames"]) and vector["frames"][0]["type"] == "HELLO"
    for size in (len(raw), 1, 7):
        reader, frames = reading(vector["from"], opens)
        for at in range(0, len(raw), size):
            reader.push(raw[at : at + size])
        if frames != vector["frames"]:
            yield f"{vector['name']}: read as {json.dumps(frames)}"
    if "decodeOnly" not in vector:
        written = (wire.PREFACE if vector.get("preface") else b"") + b"".join(map(encode, vector["frames"]))
        if written != raw:
            yield f"{vector['name']}: written as {written.hex()}"


def check_violation(vector):
    reader, _ = reading(vector["from"], vector.get("opening", False))
    try:
        reader.push(bytes.fromhex(vector["hex"]))
    except wire.Violation as violation:
        if violation.code != vector["code"]:
            yield f"{vector['name']}: is {violation.code} and should be {vector['code']}"
    else:
        yield f"{vector['name']}: was read"


def main():
    page = PAGE.read_text(encoding="utf-8")
    vectors = json.loads(re.search(r"```json vectors\n(.*?)\n```", page, re.S).group(1))
    faults = [fault for vector in vectors["frames"] for fault in check_frames(vector)]
    faults += [fault for vector in vectors["violations"] for fault in check_violation(vector)]
    faults += [f"{size} bytes cost {cost}" for size, cost in vectors["costs"] if wire.credit_cost(size) != cost]
    for fault in faults:
        print(fault)
    print(f"{len(vectors['frames'])} frames, {len(vectors['violations'])} violations: {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
