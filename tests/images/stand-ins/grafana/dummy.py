"""Not a Grafana: what its health check asks for, and nothing else."""

from http.server import BaseHTTPRequestHandler, HTTPServer


class Dummy(BaseHTTPRequestHandler):
    """Answers `GET /api/health`."""

    def do_GET(self) -> None:
        """200 for that one page, 404 for all others."""
        self.send_response(200 if self.path == "/api/health" else 404)
        self.end_headers()


if __name__ == "__main__":
    HTTPServer(("", 3000), Dummy).serve_forever()
