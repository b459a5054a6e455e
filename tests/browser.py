"""A headless Chromium, driven over its DevTools protocol; Debian's package is all that is needed."""

import base64
import contextlib
import itertools
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
START_SECONDS = 60.0
LOOK_SECONDS = 0.2


def browser_program() -> str | None:
    """Return a browser of this machine, None where there is none."""
    return next((path for name in PROGRAMS if (path := shutil.which(name))), None)


class Page:
    """One tab."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._ids = itertools.count(1)
        self.errors: list[str] = []  # of the console, and uncaught ones
        self.contexts: dict[str, int] = {}  # of frames, by their id
        self._served: dict[str, str] = {}
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command and return its result."""
        number = next(self._ids)
        self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            message = json.loads(self._socket.recv(timeout=START_SECONDS))
            if message.get("id") == number:
                assert "error" not in message, message
                result: dict[str, Any] = message["result"]
                return result
            self._take(message)

    def _take(self, event: dict[str, Any]) -> None:
        params = event.get("params", {})
        if event.get("method") == "Fetch.requestPaused":
            self._fulfil(params)
        elif event.get("method") == "Runtime.consoleAPICalled" and params["type"] == "error":
            self.errors.append(str([each.get("value", each.get("description")) for each in params["args"]]))
        elif event.get("method") == "Runtime.exceptionThrown":
            self.errors.append(str(params["exceptionDetails"])[:500])
        elif event.get("method") == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.errors.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")
        elif event.get("method") == "Runtime.executionContextCreated":
            context = params["context"]
            if context.get("auxData", {}).get("isDefault"):
                self.contexts[context["auxData"]["frameId"]] = context["id"]

    def serve(self, url: str, page: str) -> None:
        """Answer this address with a page, as if its server had."""
        self._served[url] = base64.b64encode(page.encode()).decode()
        self.call("Fetch.enable", patterns=[{"urlPattern": url}])

    def _fulfil(self, params: dict[str, Any]) -> None:
        answer = {
            "requestId": params["requestId"],
            "responseCode": 200,
            "responseHeaders": [{"name": "Content-Type", "value": "text/html"}],
            "body": self._served[params["request"]["url"]],
        }
        self._socket.send(
            json.dumps({"id": next(self._ids), "method": "Fetch.fulfillRequest", "params": answer})
        )

    def open(self, url: str) -> None:
        """Go there."""
        number = next(self._ids)  # not `call`: the answer comes after the page, which may be ours to serve
        self._socket.send(json.dumps({"id": number, "method": "Page.navigate", "params": {"url": url}}))

    def frame(self, part: str) -> str | None:
        """Return the id of the frame whose address holds `part`."""
        tree = self.call("Page.getFrameTree")["frameTree"]
        frames = [tree, *tree.get("childFrames", [])]
        return next((each["frame"]["id"] for each in frames if part in each["frame"]["url"]), None)

    def evaluate(self, expression: str, *, frame: str | None = None) -> Any:
        """Return the value of an expression, in a frame or in the page."""
        where = {} if frame is None else {"contextId": self.contexts[frame]}
        answer = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True, **where
        )
        return answer["result"].get("value")

    def wait(self, expression: str, *, seconds: float, frame: str | None = None) -> Any:
        """Return the value of the expression once it is true."""
        deadline = time.monotonic() + seconds
        while True:
            value = self.evaluate(expression, frame=frame)
            if value:
                return value
            assert time.monotonic() < deadline, (expression, self.text(frame=frame), self.errors)
            time.sleep(LOOK_SECONDS)

    def text(self, *, frame: str | None = None) -> str:
        """Return all text that can be read, inside web components as well."""
        return str(self.evaluate(f"({ALL_TEXT})(document)", frame=frame))

    def type(self, text: str) -> None:
        """Type into what has the focus, and press Enter."""
        self.call("Input.insertText", text=text)
        for kind in ("keyDown", "keyUp"):
            key = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13}
            more = {"text": "\r"} if kind == "keyDown" else {}
            self.call("Input.dispatchKeyEvent", type=kind, **key, **more)


ALL_TEXT = """function walk(node) {
  let text = '';
  for (const child of [...(node.shadowRoot?.childNodes ?? []), ...node.childNodes]) {
    if (child.nodeType === 3) text += child.nodeValue + ' ';
    else if (child.nodeType === 1 && !['SCRIPT', 'STYLE'].includes(child.tagName)) text += walk(child);
  }
  return text;
}"""


@contextlib.contextmanager
def open_browser(folder: Path) -> Iterator[Page]:
    """Start a browser with a profile of its own, and end it with the block."""
    program = browser_program()
    assert program is not None
    process = subprocess.Popen(
        [
            program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            "--no-first-run", "--disable-background-networking", "--no-proxy-server",
            "--remote-debugging-port=0", f"--user-data-dir={folder}", "about:blank",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        port_file = folder / "DevToolsActivePort"
        deadline = time.monotonic() + START_SECONDS
        while not (port_file.exists() and len(port_file.read_text().split("\n")) >= 2):
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(LOOK_SECONDS)
        port, path = port_file.read_text().strip().split("\n")
        with connect(f"ws://127.0.0.1:{port}{path}", max_size=None, proxy=None) as control:
            control.send(json.dumps({"id": 1, "method": "Target.getTargets"}))
            targets = json.loads(control.recv())["result"]["targetInfos"]
        tab = next(each["targetId"] for each in targets if each["type"] == "page")
        with connect(f"ws://127.0.0.1:{port}/devtools/page/{tab}", max_size=None, proxy=None) as socket:
            yield Page(socket)
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
