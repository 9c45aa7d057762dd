"""The page of the questions in Chromium: how soon it opens, how long a filter takes, whether anything is
reported on the console, whether it can be used by keyboard; screenshots and axe-core on request.

    cargo run --release --workspace --example questions_page -- DIR 200 500 10
    python3 bench/questions_page.py DIR/report/questions.html [--shots DIR] [--axe axe.min.js]

Standard library only; `chromium` is on the path. Never here: a check of the data (the tests of `report`).
"""

import argparse
import base64
import json
import os
import pathlib
import socket
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request

OPENS = 2000  # milliseconds
FILTERS = 200

CHOICES = [
    {"show": "gained"},
    {"show": "lost"},
    {"show": "changed"},
    {"gold": 1, "chosen": 2},
    {"differs": True},
    {"sort": "change"},
    {"sort": "-after", "show": "wrong"},
    {"sort": "item"},
    {"language": 3, "show": "lost", "sort": "change"},
]

SET = """(async (choice) => {
  const form = document.querySelector("#choice");
  form.dispatchEvent(new Event("reset", { cancelable: true }));
  await new Promise((done) => setTimeout(done, 50));
  let total = 0;
  for (const [name, value] of Object.entries(choice)) {
    const input = form.elements[name];
    if (input.type === "checkbox") input.checked = value;
    else if (typeof value === "number") input.selectedIndex = value;
    else input.value = value;
    const start = performance.now();
    delete document.documentElement.dataset.ready;
    input.dispatchEvent(new Event("input", { bubbles: true }));
    while (!document.documentElement.dataset.ready) await new Promise((done) => setTimeout(done, 1));
    void document.body.offsetHeight;
    total = Math.max(total, performance.now() - start);
  }
  return [Math.round(total), document.querySelector("#count").textContent];
})"""


# Widths, colour schemes and media in which a page is looked at.
VIEWS = [(width, scheme, "") for width in [1440, 1024, 390] for scheme in ["light", "dark"]] + [(1024, "light", "print")]


class Browser:
    """Chromium without a window, spoken to by its debugging protocol."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
                   "--remote-debugging-port=0", f"--user-data-dir={self.folder.name}", "about:blank"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        port = self.port()
        pages = json.load(urllib.request.urlopen(f"http://127.0.0.1:{port}/json"))
        address = next(page["webSocketDebuggerUrl"] for page in pages if page["type"] == "page")
        self.socket = socket.create_connection(("127.0.0.1", port))
        key = base64.b64encode(os.urandom(16)).decode()
        path = address.split(str(port), 1)[1]
        self.socket.sendall((f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                             f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n").encode())
        self.stream = self.socket.makefile("rb")
        while self.stream.readline().strip():
            pass
        self.number = 0
        self.complaints = []
        for domain in ["Page", "Runtime", "Log"]:
            self.call(f"{domain}.enable")

    def port(self):
        file = pathlib.Path(self.folder.name, "DevToolsActivePort")
        for _ in range(600):
            if file.exists() and file.read_text().strip():
                return int(file.read_text().split()[0])
            time.sleep(0.1)
        sys.exit("Chromium did not start")

    def violations(self, axe):
        """What axe-core, whose text is given, finds on the page as it is."""
        self.run(axe)
        return self.run("axe.run().then((found) => found.violations.map((v) => `${v.id} (${v.impact}): "
                        "${v.nodes.length}, ${v.nodes[0].html.slice(0, 200)}`))")

    def close(self):
        self.process.terminate()
        self.process.wait()
        self.folder.cleanup()

    def send(self, text):
        data = text.encode()
        size = len(data)
        head = struct.pack("!BB", 0x81, 0x80 | size) if size < 126 else (
            struct.pack("!BBH", 0x81, 0xFE, size) if size < 65536 else struct.pack("!BBQ", 0x81, 0xFF, size))
        self.socket.sendall(head + bytes(4) + data)  # the mask is zero

    def receive(self):
        whole = b""
        while True:
            first, second = self.stream.read(2)
            size = second & 0x7F
            if size > 125:
                size = int.from_bytes(self.stream.read(2 if size == 126 else 8), "big")
            whole += self.stream.read(size)
            if first & 0x80:
                return json.loads(whole)

    def call(self, method, **parameters):
        self.number += 1
        self.send(json.dumps({"id": self.number, "method": method, "params": parameters}))
        while True:
            message = self.receive()
            if message.get("id") == self.number:
                if "error" in message:
                    sys.exit(f"{method}: {message['error']}")
                return message["result"]
            self.note(message)

    def note(self, message):
        method, parameters = message.get("method"), message.get("params", {})
        if method == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(parameters["exceptionDetails"])[:600])
        if method == "Runtime.consoleAPICalled" and parameters["type"] in ["error", "warning"]:
            self.complaints.append(json.dumps(parameters["args"])[:600])
        if method == "Log.entryAdded":
            self.complaints.append(parameters["entry"]["text"])

    def run(self, script):
        result = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in result:
            sys.exit(f"{script[:200]}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def open(self, address):
        self.call("Page.navigate", url="about:blank")
        self.call("Page.navigate", url=address)
        start = time.monotonic()
        while time.monotonic() - start < 60:
            ready = self.run("document.documentElement?.dataset.ready || ''")
            if ready:
                return int(ready)
            time.sleep(0.02)
        sys.exit(f"{address}: not ready after 60 s: {self.run('document.body.innerText')[:400]}")

    def press(self, key, code=0, text=""):
        for kind in ["keyDown", "keyUp"]:
            extra = {"text": text} if text and kind == "keyDown" else {}
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, **extra)

    def shot(self, file, whole=False):
        extra = {}
        if whole:
            size = self.call("Page.getLayoutMetrics")["cssContentSize"]
            extra = {"captureBeyondViewport": True,
                     "clip": {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], 4000), "scale": 1}}
        file.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", **extra)["data"]))

    def look(self, width, scheme="light", media=""):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 500)
        self.call("Emulation.setEmulatedMedia", media=media, features=[{"name": "prefers-color-scheme", "value": scheme}])


def measure(browser, page):
    """The times, and what is too slow."""
    opened = [browser.open(page) for _ in range(3)]
    print(f"open: {', '.join(map(str, opened))} ms")
    slow = ["open"] if max(opened) > OPENS else []
    for choice in CHOICES:
        milliseconds, count = browser.run(f"{SET}({json.dumps(choice)})")
        print(f"{json.dumps(choice)}: {milliseconds} ms, {count}")
        if milliseconds > FILTERS:
            slow.append(json.dumps(choice))
    milliseconds, count = browser.run(f"{SET}({json.dumps({'search': 'river stone'})})")
    print(f"first search: {milliseconds} ms (loads all texts), {count}")
    milliseconds, count = browser.run(f"{SET}({json.dumps({'search': 'stone green'})})")
    print(f"second search: {milliseconds} ms with a pause of 200 ms for typing, {count}")
    return slow


def use_keyboard(browser, page):
    """What cannot be done by keyboard alone."""
    faults = []
    browser.open(page)
    focused = "document.activeElement.closest('#rows tbody tr') ? document.activeElement.textContent : ''"
    for _ in range(40):
        browser.press("Tab", 9)
        if browser.run(focused):
            break
    else:
        return ["no question is reached with Tab"]
    first = browser.run(focused)
    browser.press("ArrowDown", 40)
    second = browser.run(focused)
    if not second or second == first:
        faults.append("ArrowDown does not lead to the next question")
    browser.press("Enter", 13, "\r")
    time.sleep(0.5)
    if not browser.run("document.querySelector('#question').open"):
        faults.append("Enter does not open a question")
    title = browser.run("document.activeElement.textContent")
    browser.press("ArrowRight", 39)
    time.sleep(0.5)
    if browser.run("document.activeElement.textContent") == title:
        faults.append("ArrowRight does not lead to the next question")
    browser.press("Escape", 27)
    time.sleep(0.3)
    if browser.run("document.querySelector('#question').open"):
        faults.append("Escape does not close a question")
    if not browser.run(focused):
        faults.append("the focus does not return to the list")
    return faults


def audit(browser, page, axe, shots):
    """Violations by axe-core in every view, and screenshots."""
    faults = []
    for width, scheme, media in VIEWS:
        for name, rest in [("list", ""), ("question", "#item=7&in=en")]:
            browser.look(width, scheme, media)
            browser.open(page + rest)
            time.sleep(0.4)
            if name == "question":
                browser.run("document.querySelectorAll('#question details').forEach((one) => one.open = true)")
            view = f"{name}-{width}-{media or scheme}"
            if browser.run("document.documentElement.scrollWidth") > width:
                faults.append(f"{view}: the page scrolls sideways")
            if shots:
                browser.shot(shots / f"{view}.png", whole=media == "print")
            if axe:
                faults.extend(f"{view}: {one}" for one in browser.violations(axe))
    return faults


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("page", type=pathlib.Path)
    arguments.add_argument("--shots", type=pathlib.Path)
    arguments.add_argument("--axe", type=pathlib.Path)
    given = arguments.parse_args()
    page = given.page.resolve().as_uri()
    browser = Browser()
    try:
        faults = [f"too slow: {one}" for one in measure(browser, page)]
        faults += use_keyboard(browser, page)
        if given.shots:
            given.shots.mkdir(parents=True, exist_ok=True)
        if given.shots or given.axe:
            faults += audit(browser, page, given.axe and given.axe.read_text(), given.shots)
        faults += [f"console: {one}" for one in browser.complaints]
    finally:
        browser.close()
    print("\n".join(faults) or "no fault")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
