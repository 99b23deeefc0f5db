"""Calls one method over link and prints what it answers, a line of JSON for each value.

    python3 link_call.py link://127.0.0.1:7420 shop.Inventory/checkStock '{"sku":"a-1"}'

The input is JSON, `-` to read it from standard input, or absent for none. A failed call prints its error as JSON to
standard error and exits with 1.
"""

import argparse
import json
import ssl
import sys

import link_client


def main() -> int:
    parser = argparse.ArgumentParser(description="Calls one method over link.")
    parser.add_argument("url")
    parser.add_argument("method", help="service/method")
    parser.add_argument("input", nargs="?", help="JSON, or - for standard input")
    parser.add_argument("--token", help="credentials for the server")
    parser.add_argument("--timeout", type=float, help="seconds until the call is given up")
    parser.add_argument("--metadata", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--take", type=int, help="values of a stream to take before it is cancelled")
    parser.add_argument("--ca", help="file with the authorities that sign the server's certificate (links://)")
    options = parser.parse_args()
    text = sys.stdin.read() if options.input == "-" else options.input
    payload = link_client.NOTHING if text is None else json.loads(text)
    metadata = dict(pair.split("=", 1) for pair in options.metadata)
    tls = ssl.create_default_context(cafile=options.ca) if options.ca else None
    try:
        client = link_client.LinkClient(options.url, options.token, tls)
        with client.stream(options.method, payload, options.timeout, metadata) as answers:
            for count, value in enumerate(answers, 1):
                print(json.dumps(value), flush=True)
                if count == options.take:
                    break
        client.close()
    except link_client.LinkError as error:
        told = {"code": error.code, "message": error.message, "verdict": error.verdict, "details": error.details}
        print(json.dumps({**told, "untouched": error.untouched}), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
