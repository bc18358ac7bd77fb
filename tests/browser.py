"""Chromium without a window, spoken to through pipes: real keys, pointers and screens of phones.

The protocol is Chrome's DevTools protocol; ``--remote-debugging-pipe`` needs no library for it.
"""

import fcntl
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from base64 import b64decode
from contextlib import contextmanager
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
MISSING = "chromium (Debian's package) is not installed"
# Nothing but this machine can be reached.
OFFLINE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
KEYS = {
    "Tab": 9, "Enter": 13, " ": 32, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39,
    "ArrowDown": 40, "+": 187, "-": 189,
}  # fmt: skip


class Page:
    """A page in a browser.

    Attributes
    ----------
    problems : list of str
        Errors and warnings of the console, and exceptions, since the page was opened.
    requests : list of str
        Addresses that were asked for since then.
    """

    def __init__(self, to_browser, from_browser):
        self._to, self._from, self._buffer = to_browser, from_browser, b""
        self._count, self._session = 0, None
        self.problems, self.requests, self.loaded = [], [], 0
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        attached = self.send("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")
        reduced = [{"name": "prefers-reduced-motion", "value": "reduce"}]
        self.send("Emulation.setEmulatedMedia", features=reduced)

    # ---- the protocol ----------------------------------------------------------------------

    def send(self, method, **parameters):
        """Return the result of a method."""
        self._count += 1
        message = {"id": self._count, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read(60.0)
            if answer is None:
                raise TimeoutError(f"{method} was not answered.")
            if answer.get("id") == self._count:
                assert "error" not in answer, (method, answer["error"])
                return answer["result"]

    def _read(self, seconds):
        """Return the next message, or None after some seconds; events are noted."""
        end = time.monotonic() + seconds
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._from], [], [], max(0.0, end - time.monotonic()))
            if not ready:
                return None
            part = os.read(self._from, 1 << 16)
            if not part:
                raise EOFError("The browser ended.")
            self._buffer += part
        text, _, self._buffer = self._buffer.partition(b"\0")
        message = json.loads(text)
        self._note(message.get("method"), message.get("params"))
        return message

    def _note(self, event, given):
        if event == "Runtime.consoleAPICalled" and given["type"] in ("error", "warning"):
            self.problems.append(str(given["args"]))
        elif event == "Runtime.exceptionThrown":
            self.problems.append(str(given["exceptionDetails"]))
        elif event == "Log.entryAdded" and given["entry"]["level"] in ("error", "warning"):
            self.problems.append(given["entry"]["text"] + " " + given["entry"].get("url", ""))
        elif event == "Network.requestWillBeSent":
            self.requests.append(given["request"]["url"])
        elif event == "Page.loadEventFired":
            self.loaded += 1

    # ---- what a person does ----------------------------------------------------------------

    def open(self, address, width=1280, height=900, touch=False):
        """Open an address in a window of some size."""
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=touch,
        )  # fmt: skip
        self.send("Emulation.setTouchEmulationEnabled", enabled=touch)
        before = self.loaded
        self.problems.clear()
        self.requests.clear()
        self.send("Page.navigate", url=str(address))
        end = time.monotonic() + 30.0
        while self.loaded == before:
            assert self._read(1.0) or time.monotonic() < end, f"{address} does not load."

    def run(self, script):
        """Return the value of an expression; promises are awaited."""
        answer = self.send(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait(self, script, seconds=30.0):
        """Wait until an expression is true."""
        end = time.monotonic() + seconds
        while not (value := self.run(script)):
            assert time.monotonic() < end, f"{script} is still {value!r}."
            time.sleep(0.05)
        return value

    def text(self, selector):
        """Return the text of an element."""
        return self.run(f"document.querySelector({json.dumps(selector)}).innerText")

    def choose(self, selector, text):
        """Choose the option of a list that has a text, or begins with it."""
        script = """((list, text) => {
          const option = [...list.options].find((one) => one.text === text)
            ?? [...list.options].find((one) => one.text.startsWith(text));
          list.value = option.value;
          list.dispatchEvent(new Event("change", { bubbles: true }));
        })"""
        self.run(f"{script}(document.querySelector({json.dumps(selector)}), {json.dumps(text)})")

    def press(self, key):
        """Press a key."""
        text = {"Enter": "\r"}.get(key, key if len(key) == 1 else "")
        given = {"key": key, "windowsVirtualKeyCode": KEYS[key], "text": text}
        code = {"+": "Equal", "-": "Minus", " ": "Space"}.get(key, key)
        self.send("Input.dispatchKeyEvent", type="keyDown", code=code, **given)
        self.send("Input.dispatchKeyEvent", type="keyUp", code=code, **given)
        self.settle()

    def move(self, x, y):
        """Move the pointer."""
        self.send("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        self.settle()

    def click(self, x, y):
        """Click at a place of the window."""
        self.move(x, y)
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

        self.settle()

    def settle(self):
        """Wait for the next picture, with which the browser hands out what the pointer did."""
        frame = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
        self.run(f"{frame}.then(() => true)")

    def click_on(self, selector):
        """Click in the middle of an element."""
        self.click(*self.middle(selector))

    def middle(self, selector):
        """Bring an element into view and return its middle in the window."""
        return self.run(
            f"(() => {{ const element = document.querySelector({json.dumps(selector)});"
            "element.scrollIntoView({ block: 'nearest' });"
            "const box = element.getBoundingClientRect();"
            "return [box.x + box.width / 2, box.y + box.height / 2]; })()"
        )

    def tap(self, x, y):
        """Touch a place of the window."""
        self.send("Input.dispatchTouchEvent", type="touchStart", touchPoints=[{"x": x, "y": y}])
        self.send("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])

    def pinch(self, x, y, factor):
        """Zoom with two fingers."""
        self.send("Input.synthesizePinchGesture", x=x, y=y, scaleFactor=factor)

    def picture(self, path=None, whole=True):
        """Return a picture of the page as PNG, and write it to a path."""
        shot = self.send("Page.captureScreenshot", captureBeyondViewport=whole)
        content = b64decode(shot["data"])
        if path is not None:
            Path(path).write_bytes(content)
        return content

    def overflow(self):
        """Return how many pixels the page is wider than its window."""
        return self.run(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )


@contextmanager
def browsing():
    """Yield a `Page` of a new browser, which ends with the block."""
    there, to_browser = os.pipe()
    from_browser, back = os.pipe()
    # The browser reads from its file 3 and writes to its file 4, which must not be in use here.
    given = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (there, back)]
    os.close(there)
    os.close(back)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [
            *(CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
            *("--remote-debugging-pipe", "--no-first-run", "--disable-background-networking"),
            "--disable-dev-shm-usage",
            *(f"--user-data-dir={profile}", OFFLINE, "about:blank"),
        ]
        shell = ["bash", "-c", 'exec "$@" 3<&{} 4>&{}'.format(*given), "bash"]
        process = subprocess.Popen(
            [*shell, *command],
            pass_fds=given,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for end in given:
            os.close(end)
        try:
            page = Page(to_browser, from_browser)
            yield page
            page._session = None
            page.send("Browser.close")
        finally:
            os.close(to_browser)
            os.close(from_browser)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
