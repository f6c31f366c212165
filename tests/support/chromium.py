"""The system's Chromium without a window, driven through its DevTools pipe: nothing to
install, no port."""

import base64
import contextlib
import json
import shutil
import subprocess
import threading

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PATIENCE = 300


def find():
    """Where Chromium is, None where it is not."""
    return next(filter(None, map(shutil.which, NAMES)), None)


def require():
    """End the program with a line that says what to do if there is no Chromium."""
    if find() is None:
        raise SystemExit(f"no Chromium on PATH ({', '.join(NAMES)}); install one")


class Tab:
    """One tab. `requests` and `errors` hold what the page asked for and complained of
    since it was opened."""

    def __init__(self, process):
        self.process = process
        self.number = 0
        self.session = {}
        self.requests = []
        self.errors = []
        self.seen = set()
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = {
            "sessionId": self.ask(
                "Target.attachToTarget", targetId=target, flatten=True
            )["sessionId"]
        }
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def ask(self, method, **params):
        """Send a command of the DevTools protocol and wait for its answer."""
        self.number += 1
        message = {
            "id": self.number,
            "method": method,
            "params": params,
            **self.session,
        }
        self.process.stdin.write(json.dumps(message).encode() + b"\0")
        self.process.stdin.flush()
        while (answer := self._next()).get("id") != self.number:
            pass
        assert "error" not in answer, answer
        return answer["result"]

    def _next(self):
        text = bytearray()
        while (byte := self.process.stdout.read(1)) != b"\0":
            assert byte, "Chromium has ended"
            text += byte
        message = json.loads(text)
        event = message.get("method", "")
        params = message.get("params", {})
        self.seen.add(event)
        if event == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif event in {
            "Runtime.exceptionThrown",
            "Runtime.consoleAPICalled",
            "Log.entryAdded",
        }:
            self.errors.append(params)
        return message

    def open(self, path, *, width=1280, height=900, media="", scheme="light"):
        """Load a file or an address as a reader with this window, medium and preference
        for light or dark has it."""
        address = path if isinstance(path, str) else path.as_uri()
        self.look(width=width, height=height, media=media, scheme=scheme)
        self.requests.clear()
        self.errors.clear()
        self.seen.clear()
        self.ask("Page.navigate", url=address)
        while "Page.loadEventFired" not in self.seen:
            self._next()

    def look(self, *, width=1280, height=900, media="", scheme="light"):
        """Change the window, the medium and the preference of the page that is open."""
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        wishes = {"prefers-color-scheme": scheme, "prefers-reduced-motion": "reduce"}
        features = [{"name": name, "value": value} for name, value in wishes.items()]
        self.ask("Emulation.setEmulatedMedia", media=media, features=features)

    def run(self, script):
        """The value of an expression of JavaScript."""
        done = self.ask(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in done, done
        return done["result"].get("value")

    def picture(self):
        """The bytes of a PNG of the window."""
        return base64.b64decode(self.ask("Page.captureScreenshot")["data"])

    def click(self, element):
        """Press the left button on the middle of an element, given as an expression of
        JavaScript."""
        place = f"(e => {{ e.scrollIntoView({{block: 'center', behavior: 'instant'}}); return e }})({element})"
        box = self.run(f"{place}.getBoundingClientRect().toJSON()")
        about = {
            "x": box["x"] + box["width"] / 2,
            "y": box["y"] + box["height"] / 2,
            "button": "left",
            "clickCount": 1,
        }
        for kind in ("mousePressed", "mouseReleased"):
            self.ask("Input.dispatchMouseEvent", type=kind, **about)


@contextlib.contextmanager
def tab(folder):
    """A tab of a Chromium with an empty profile in `folder`, which ends with the block
    or after `PATIENCE` seconds."""
    # No sandbox: root and many containers have none, and the page is our own.
    flags = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--hide-scrollbars",
    ]
    flags += [
        "--no-first-run",
        "--disable-background-networking",
        "--disable-extensions",
        f"--user-data-dir={folder}",
    ]
    # Chromium reads commands from stream 3 and answers on stream 4.
    shell = ["sh", "-c", 'exec "$@" 3<&0 4>&1 </dev/null >/dev/null 2>&1', "sh"]
    command = [*shell, find(), *flags, "--remote-debugging-pipe"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        watch = threading.Timer(PATIENCE, process.kill)
        watch.start()
        try:
            yield Tab(process)
        finally:
            watch.cancel()
            process.kill()
