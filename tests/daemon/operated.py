"""What the tests of this folder share: the sandbox of tests/crash, and a systemd that listens."""

import pathlib
import queue
import socket
import threading
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "fault"))

from fault import *  # noqa: F401,F403,E402
from fault import Failure  # noqa: E402


class Listener:
    """The socket that systemd would hand over as NOTIFY_SOCKET.

    A thread takes what comes, as systemd does: the kernel holds some ten messages, and a daemon
    that has one more to send waits for good.
    """

    def __init__(self, folder):
        self.path = folder / "notify"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.path))
        self.told = []  # messages that were listened to, each a dict of its assignments
        self.came = queue.SimpleQueue()
        self.taker = threading.Thread(target=self._take, daemon=True)
        self.taker.start()

    def _take(self):
        while text := self.socket.recv(65536).decode():
            self.came.put(dict(line.split("=", 1) for line in text.splitlines()))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
            last.sendto(b"", str(self.path))
        self.taker.join()
        self.socket.close()

    def env(self, **more):
        return {"NOTIFY_SOCKET": str(self.path), **more}

    def listen(self, seconds):
        """One more message; None when none comes in time."""
        try:
            message = self.came.get(timeout=seconds)
        except queue.Empty:
            return None
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

    def forget(self):
        """All that came before."""
        while self.listen(0) is not None:
            pass
        self.told.clear()

    def during(self, seconds):
        """All that comes in this time."""
        self.forget()
        end = time.monotonic() + seconds
        messages = []
        while (left := end - time.monotonic()) > 0:
            messages.append(self.listen(left))
        return [message for message in messages if message is not None]
