"""A client of RabbitMQ that knows AMQP 0-9-1 and CloudEvents, but nothing of Posthaste.

One request per line on the standard input, as JSON; one answer per line on the standard output.
See https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/amqp-protocol-binding.md
"""

import base64
import json
import sys

import pika

PREFIX = "cloudEvents:"
PATIENCE_S = 20


def publish(channel, request):
    """Publishes an event in binary mode, confirmed; fails where no queue takes it."""
    attributes = dict(request["attributes"])
    properties = pika.BasicProperties(
        content_type=attributes.pop("datacontenttype", None),
        delivery_mode=pika.DeliveryMode.Persistent,
        headers={PREFIX + name: value for name, value in attributes.items()},
    )
    routing_key = ""
    if "keyRanges" in request:
        routing_key = str(key_range(request["attributes"]["partitionkey"], request["keyRanges"]))
    body = base64.b64decode(request["data"])
    channel.basic_publish(request["exchange"], routing_key, body, properties, mandatory=True)
    return {"routingKey": routing_key}


def key_range(key, count):
    """FNV-1a with 32 bits over the key as UTF-8, modulo the number of ranges."""
    result = 0x811C9DC5
    for byte in key.encode():
        result = (result ^ byte) * 0x01000193 & 0xFFFFFFFF
    return result % count


def listen(channel, request):
    """Gets whatever is published to an exchange from now on, in a queue of its own."""
    queue = channel.queue_declare("", exclusive=True).method.queue
    channel.queue_bind(queue, request["exchange"], request["bindingKey"])
    return {"queue": queue}


def read(channel, request):
    """Reads so many events from a queue."""
    events = []
    for method, properties, body in channel.consume(
        request["queue"], inactivity_timeout=PATIENCE_S
    ):
        if method is None:
            raise TimeoutError(f"only {len(events)} events came")
        channel.basic_ack(method.delivery_tag)
        events.append(event_of(method, properties, body))
        if len(events) == request["count"]:
            channel.cancel()
            return {"events": events}


def event_of(method, properties, body):
    attributes = {
        name[len(PREFIX) :]: value
        for name, value in (properties.headers or {}).items()
        if name.startswith(PREFIX)
    }
    if properties.content_type is not None:
        attributes["datacontenttype"] = properties.content_type
    data = base64.b64encode(body).decode()
    return {"attributes": attributes, "data": data, "routingKey": method.routing_key}


def remove(channel, request):
    """Removes queues and exchanges; those that are not there are no matter."""
    for name in request["queues"]:
        channel.queue_delete(name)
    for name in request["exchanges"]:
        channel.exchange_delete(name)
    return {"removed": True}


def main(url):
    channel = pika.BlockingConnection(pika.URLParameters(url)).channel()
    channel.confirm_delivery()
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = ACTIONS[request["do"]](channel, request)
        except Exception as error:
            answer = {"error": repr(error)}
        print(json.dumps(answer), flush=True)


ACTIONS = {"publish": publish, "listen": listen, "read": read, "remove": remove}
main(sys.argv[1])
