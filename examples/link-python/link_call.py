"""Calls one method over link and prints what it answers, a line of JSON for each value.

    python3 link_call.py link://127.0.0.1:7420 shop.Inventory/checkStock '{"sku":"a-1"}'

The input is JSON, `-` to read it from standard input, or absent for none. What went wrong is one line of JSON on standard
error. It exits with 0 when the call is done, 1 when it failed, 2 when the command line is wrong, 4 when the server cannot
be reached, is gone or is too slow, 5 when it does not let this client in or have it do this, 130 after Ctrl-C.
"""

import argparse
import json
import os
import ssl
import sys

import link_client
import link_wire

EXIT_CODES = {
    **dict.fromkeys(("UNAVAILABLE", "DEADLINE_EXCEEDED", "OVERLOADED", "RATE_LIMITED"), 4),
    **dict.fromkeys(("UNAUTHENTICATED", "PERMISSION_DENIED"), 5),
}
INTERRUPTED = 130


def main() -> int:
    parser = argparse.ArgumentParser(description="Calls one method over link.")
    parser.add_argument("url")
    parser.add_argument("method", help="service/method")
    parser.add_argument("input", nargs="?", help="JSON, or - for standard input")
    parser.add_argument("--token", help="credentials for the server")
    parser.add_argument("--timeout", type=_seconds, help="seconds until the call is given up")
    parser.add_argument("--metadata", action="append", default=[], type=_pair, metavar="NAME=VALUE")
    parser.add_argument("--take", type=_count, help="values of a stream to take before it is cancelled")
    parser.add_argument("--ca", type=_authorities, metavar="FILE", help="who signs the server's certificate (links://)")
    options = parser.parse_args()
    try:
        payload = _payload(options.input)
        client = link_client.LinkClient(options.url, options.token, options.ca)
    except ValueError as error:
        parser.error(str(error))
    with client.stream(options.method, payload, options.timeout, dict(options.metadata)) as answers:
        for count, value in enumerate(answers, 1):
            print(json.dumps(value), flush=True)
            if count == options.take:
                break
    client.close()
    return 0


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0
    if not 0 < seconds < 1e6:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds")
    return seconds


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of values")
    return int(text)


def _pair(text: str):
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    try:
        link_wire.encode_metadata({name: value})
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return name, value


def _authorities(path: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=path)
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{path}: {error.strerror or error}") from None


def _payload(text):
    if text is None:
        return link_client.NOTHING
    try:
        payload = json.loads(sys.stdin.read() if text == "-" else text)
        link_wire.encode_json(payload)
        return payload
    except ValueError as error:
        raise ValueError(f"the input is not JSON: {error}") from None


def _told(error: link_client.LinkError) -> int:
    told = {"code": error.code, "message": error.message, "verdict": error.verdict, "details": error.details}
    print(json.dumps({**told, "untouched": error.untouched}), file=sys.stderr)
    return EXIT_CODES.get(error.code, 1)


def _run() -> int:
    try:
        return main()
    except link_client.LinkError as error:
        return _told(error)
    except KeyboardInterrupt:
        return INTERRUPTED
    except (BrokenPipeError, ConnectionResetError):
        # Who reads the answers has had enough: of a pipe, or of a socket. Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


if __name__ == "__main__":
    sys.exit(_run())
