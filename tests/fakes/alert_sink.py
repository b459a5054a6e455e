"""A webhook that takes alerts and keeps them."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class AlertSink:
    """Listens until it is closed."""

    def __init__(self, port: int = 0) -> None:
        """`port`: where to listen, if it must be a certain one."""
        self.alerts: list[dict[str, Any]] = []
        alerts = self.alerts

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                alerts.append(json.loads(body))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """What BUDDY_ALERT_URLS is to hold."""
        return f"json://127.0.0.1:{self._server.server_address[1]}/"

    def titled(self, text: str) -> list[dict[str, Any]]:
        """Return the alerts whose title has this in it."""
        return [alert for alert in self.alerts if text in alert["title"]]

    def close(self) -> None:
        """Listen no longer."""
        self._server.shutdown()
        self._server.server_close()
