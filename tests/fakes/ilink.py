"""WeChat's login service on a free loopback port, and the phone that scans its codes.

Its paths and words are those that the plugin asks for and understands; `openclaw` gets here by a preload,
since the plugin's host is fixed. After a login all calls go to the address that this answers with.
"""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from eventually import wait_until

PRELOAD = Path(__file__).with_name("ilink-preload.cjs")
HOLD_SECONDS = 0.5  # of a poll; the real one holds it for half a minute
ACCOUNT, RAW_ACCOUNT = "b0f5860fdecb-im-bot", "b0f5860fdecb@im.bot"
USER = "user1@im.wechat"
STALE = -14


class Ilink:
    """The service. `phone` is what the newest code's status says next."""

    def __init__(self) -> None:
        ilink = self
        self.codes: list[str] = []  # by the order in which they were handed out
        self.images: list[str] = []  # what the next codes hold instead of an address of WeChat
        self.status: dict[str, str] = {}  # of each code
        self.numbers: list[str] = []  # that were handed in, in turn
        self.right_number = "1234"
        self.token = "bot-token-1"  # what the next login gets
        self.stale = False  # every session has ended
        self.updates: list[str] = []  # the tokens of the polls for messages
        self._news = threading.Event()
        self._over = threading.Event()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                self.rfile.read(length)
                token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
                body = json.dumps(ilink._answer(self.path, token)).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET  # noqa: N815 - the name that it is called by

            def log_message(self, *_: Any) -> None:
                """Keep the tests' output clean."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,))
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def environment(self) -> dict[str, str]:
        """What Buddy must be told, so that the plugin asks here and nowhere else."""
        told = {"NODE_OPTIONS": f"--require={PRELOAD}", "ILINK_BASE": self.url}
        return {**told, "BUDDY_GATEWAY_PASS_ENV": ",".join(told)}

    def phone(self, status: str, *, code: str | None = None) -> None:
        """Have the newest code, or this one, be `scaned`, `confirmed`, `expired` or so from now on."""
        self.status[code or self.codes[-1]] = status
        self._news.set()

    def until_codes(self, count: int) -> None:
        """Wait until so many codes have been handed out."""
        wait_until(lambda: len(self.codes), lambda found: found >= count, seconds=200)

    def until_polled(self, *, token: str) -> None:
        """Wait until a session with this token asks for messages from now on."""
        self.updates.clear()
        wait_until(lambda: token in self.updates, bool, seconds=60)

    def close(self) -> None:
        """Stop listening."""
        self._over.set()
        self._news.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5)

    def _answer(self, path: str, token: str) -> dict[str, Any]:
        url = urlsplit(path)
        asked = {name: values[-1] for name, values in parse_qs(url.query).items()}
        match url.path.rsplit("/", 1)[-1]:
            case "get_bot_qrcode":
                return self._new_code(asked.get("bot_type", ""))
            case "get_qrcode_status":
                return self._status_of(asked["qrcode"], asked.get("verify_code"))
            case "getupdates":
                return self._poll(token)
        return {"ret": 0}

    def _new_code(self, kind: str) -> dict[str, Any]:
        code = f"standin{len(self.codes) + 1}"
        address = f"https://liteapp.weixin.qq.com/q/standin?qrcode={code}&bot_type={kind}"
        image = self.images.pop(0) if self.images else address
        self.status[code] = "wait"
        self.codes.append(code)
        return {"ret": 0, "qrcode": code, "qrcode_img_content": image}

    def _status_of(self, code: str, number: str | None) -> dict[str, Any]:
        if number is not None and self.status[code] == "need_verifycode":
            self.numbers.append(number)
            if number == self.right_number:
                self.status[code] = "scaned"
        if self.status[code] == "wait":
            self._news.wait(HOLD_SECONDS)
            self._news.clear()
        answer: dict[str, Any] = {"status": self.status[code]}
        if answer["status"] == "confirmed":
            answer |= {
                "bot_token": self.token,
                "ilink_bot_id": RAW_ACCOUNT,
                "baseurl": self.url,
                "ilink_user_id": USER,
            }
        return answer

    def _poll(self, token: str) -> dict[str, Any]:
        self.updates.append(token)
        if self.stale:
            return {"ret": STALE, "errcode": STALE, "errmsg": "session timeout"}
        self._over.wait(HOLD_SECONDS)
        return {"ret": 0, "msgs": [], "get_updates_buf": f"buffer-{token}"}
