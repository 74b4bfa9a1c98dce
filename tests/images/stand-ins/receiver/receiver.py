"""A webhook receiver: the body of every POST becomes a line of /tmp/received."""

from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

RECEIVED = Path("/tmp/received")


class Receiver(BaseHTTPRequestHandler):
    """Takes whatever is posted to it."""

    def do_POST(self) -> None:
        """Write it down, say 200."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with RECEIVED.open("ab") as lines:
            lines.write(body.replace(b"\n", b" ") + b"\n")
        self.send_response(200)
        self.end_headers()


if __name__ == "__main__":
    RECEIVED.touch()
    HTTPServer(("", 80), Receiver).serve_forever()
