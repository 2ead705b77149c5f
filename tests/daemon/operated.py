"""What the tests of this folder share: the sandbox of tests/crash, and a systemd that listens."""

import pathlib
import socket
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "fault"))

from fault import *  # noqa: F401,F403,E402
from fault import Failure  # noqa: E402


class Listener:
    """The socket that systemd would hand over as NOTIFY_SOCKET."""

    def __init__(self, folder):
        self.path = folder / "notify"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.path))
        self.told = []  # messages, each a dict of its assignments

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def env(self, **more):
        return {"NOTIFY_SOCKET": str(self.path), **more}

    def listen(self, seconds):
        """One more message; None when none comes in time."""
        self.socket.settimeout(seconds)
        try:
            text = self.socket.recv(65536).decode()
        except TimeoutError:
            return None
        message = dict(line.split("=", 1) for line in text.splitlines())
        self.told.append(message)
        return message

    def until(self, key, value=None, seconds=15):
        """Listens until a message says this; returns it."""
        while True:
            message = self.listen(seconds)
            if message is None:
                raise Failure(f"systemd was not told {key}={value or '...'} but {self.told[-20:]}")
            if key in message and value in (None, message[key]):
                return message

    def during(self, seconds):
        """All that comes in this time."""
        end = time.monotonic() + seconds
        messages = []
        while (left := end - time.monotonic()) > 0:
            messages.append(self.listen(left))
        return [message for message in messages if message is not None]
