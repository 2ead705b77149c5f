"""A headless Chromium, driven through chromedriver's HTTP interface (W3C WebDriver, and CDP for
what that does not have: dark mode, print, scripts off, the widths of phones)."""

import base64
import contextlib
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile

TIMEOUT_S = 60
PORT = re.compile(r"started successfully on port (\d+)")
FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--disable-dev-shm-usage", "--hide-scrollbars", "--force-color-profile=srgb"]


class Absent(Exception):
    """No Chromium, or none that starts here."""


class Failed(Exception):
    """The browser refused a command."""


def programs():
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    driver = shutil.which("chromedriver")
    if not chromium or not driver:
        raise Absent("no chromium and chromedriver (packages chromium, chromium-driver)")
    return chromium, driver


class Browser:
    """A fresh profile. Addresses are file: URLs of paths."""

    def __init__(self):
        chromium, driver = programs()
        self.folder = tempfile.mkdtemp(prefix="tally-browser-")
        self.driver = subprocess.Popen(
            [driver, "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL, text=True, start_new_session=True,
            env={**os.environ, "HOME": self.folder, "TZ": "UTC"})
        try:
            self.port = self._read_port()
            self.session = self._open(chromium)
        except BaseException:
            self.close()
            raise

    def _read_port(self):
        for line in self.driver.stdout:
            found = PORT.search(line)
            if found:
                return int(found.group(1))
        raise Absent("chromedriver does not start")

    def _open(self, chromium):
        options = {"binary": chromium,
                   "args": [*FLAGS, f"--user-data-dir={self.folder}/profile"]}
        wanted = {"alwaysMatch": {"browserName": "chrome", "goog:chromeOptions": options,
                                  "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"}}}
        try:
            made = self._send("POST", "/session", {"capabilities": wanted})
        except Failed as failed:
            raise Absent(f"chromium does not start: {failed}") from failed
        return made["sessionId"]

    def _send(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_S)
        with contextlib.closing(connection):
            connection.request(method, path, json.dumps(body) if body is not None else None,
                               {"Content-Type": "application/json"})
            answer = json.loads(connection.getresponse().read())["value"]
        if isinstance(answer, dict) and "error" in answer:
            raise Failed(f"{path}: {answer['error']}: {answer['message'].splitlines()[0]}")
        return answer

    def _command(self, path, body):
        return self._send("POST", f"/session/{self.session}/{path}", body)

    def cdp(self, command, **params):
        return self._command("goog/cdp/execute", {"cmd": command, "params": params})

    def run(self, script, *arguments):
        """What a function body returns in the page."""
        return self._command("execute/sync", {"script": script, "args": arguments})

    def open(self, path):
        self.log()  # of pages before
        self._command("url", {"url": pathlib.Path(path).resolve().as_uri()})

    def press(self, *keys):
        """Keys by WebDriver's code points, such as TAB."""
        actions = [step for key in keys for step in ({"type": "keyDown", "value": key},
                                                     {"type": "keyUp", "value": key})]
        self._command("actions", {"actions": [{"type": "key", "id": "keys", "actions": actions}]})

    def hover(self, x, y):
        self._command("actions", {"actions": [
            {"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"},
             "actions": [{"type": "pointerMove", "duration": 0, "x": round(x), "y": round(y)}]}]})

    def look(self, width, height=900, media="screen", scheme="light", scripts=True):
        """How the page is shown from now on; load it afterwards."""
        self.cdp("Emulation.setDeviceMetricsOverride", width=width, height=height,
                 deviceScaleFactor=1, mobile=False)
        self.cdp("Emulation.setEmulatedMedia", media=media,
                 features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.cdp("Emulation.setScriptExecutionDisabled", value=not scripts)

    def log(self):
        """Errors and warnings of the console since the last call."""
        return [entry for entry in self._command("se/log", {"type": "browser"})
                if entry["level"] in ("SEVERE", "WARNING")]

    def requests(self):
        """Addresses asked for since the last call, but for those of files and data."""
        asked = []
        for entry in self._command("se/log", {"type": "performance"}):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                asked.append(message["params"]["request"]["url"])
        return [url for url in asked if not url.startswith("data:")]

    def picture(self, path):
        """The whole page as PNG."""
        size = self.cdp("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        shot = self.cdp("Page.captureScreenshot", format="png", captureBeyondViewport=True,
                        clip=clip)
        pathlib.Path(path).write_bytes(base64.b64decode(shot["data"]))

    def pdf(self):
        return base64.b64decode(self.cdp("Page.printToPDF", printBackground=True)["data"])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if getattr(self, "session", None):
            with contextlib.suppress(Failed, OSError, http.client.HTTPException):
                self._send("DELETE", f"/session/{self.session}")
        # The driver leads a process group of its own, with every Chromium that it started.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.driver.pid, signal.SIGKILL)
        self.driver.wait(TIMEOUT_S)
        self.driver.stdout.close()
        shutil.rmtree(self.folder, ignore_errors=True)
