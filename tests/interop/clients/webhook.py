"""Receives one webhook, proves it with the reference library, and says so in a line."""

import json
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

secret = sys.argv[1]


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        try:
            proven = Webhook(secret).verify(body, dict(self.headers))
            line = {"proven": proven, "id": self.headers["webhook-id"]}
            self.send_response(204)
        except WebhookVerificationError as error:
            line = {"unproven": str(error)}
            self.send_response(401)
        self.end_headers()
        print(json.dumps(line), flush=True)

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Receiver)
print(json.dumps({"port": server.server_port}), flush=True)
server.serve_forever()
