# The PyPI package `websockets` as a client: a command per line in, an event per line out (see ../client.rs).
import json
import os
import sys
import threading

from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.sync.client import connect

OFFERS = {
    "none": {"compression": None},
    "deflate": {"compression": "deflate"},
    "small window": {"compression": None, "extensions": [ClientPerMessageDeflateFactory(server_max_window_bits=10)]},
}
sockets = {}
line = threading.Lock()


def tell(id, what, **more):
    with line:
        print(json.dumps({"id": id, "what": what, **more}), flush=True)


def live(id, url, offer, origin):
    try:
        with connect(url, origin=origin, max_size=None, proxy=None, **OFFERS[offer]) as socket:
            sockets[id] = socket
            tell(id, "opened", extensions=socket.response.headers.get("Sec-WebSocket-Extensions", ""))
            while True:
                tell(id, "message", text=socket.recv(decode=True))
    except InvalidStatus as refused:
        body = (refused.response.body or b"").decode()
        tell(id, "refused", status=refused.response.status_code, body=body)
    except ConnectionClosed as closed:
        if closed.rcvd is None:
            tell(id, "error", error=str(closed))
        else:
            tell(id, "closed", code=closed.rcvd.code, reason=closed.rcvd.reason)


def ping(id, payload):
    sockets[id].ping(payload).wait()
    tell(id, "pong", payload=payload)


def beside(what, *arguments):
    threading.Thread(target=what, args=arguments, daemon=True).start()


for command in map(json.loads, sys.stdin):
    id = command["id"]
    match command["do"]:
        case "open":
            beside(live, id, command["url"], command["offer"], command["origin"])
        case "send":
            sockets[id].send(command["text"])
        case "ping":
            beside(ping, id, command["payload"])
        case "close":
            # It waits for the answer, which is for the listener to tell.
            beside(sockets[id].close, command["code"], command["reason"])
# Whatever is still open ends with the process.
os._exit(0)
