"""Processes of other programs that a test starts: none is left behind, however the test ends."""

import ctypes
import os
import pathlib
import random
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "crash"))

from sandbox import Failure, Skip  # noqa: E402

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True)
# Below the ports that Linux gives to clients, so that no connection takes one in between.
PORTS = range(10_000, 32_000)
WAIT_S = 0.02


class Absent(Skip):
    """A program that is not installed: the test is to be skipped, saying so."""


class Failed(Failure):
    """A program that should run does not."""


def free_ports(count):
    """Numbers of ports on loopback where nobody listens, all different."""
    held = []
    try:
        while len(held) < count:
            one = socket.socket()
            try:
                one.bind(("127.0.0.1", random.choice(PORTS)))
                held.append(one)
            except OSError:
                one.close()
        return [one.getsockname()[1] for one in held]
    finally:
        for one in held:
            one.close()


def _with_its_parent():
    # The kernel sends it when the thread that started it ends, so also after a kill -9.
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Process:
    """A program in the background, in a session of its own: a Ctrl-C at the terminal is the
    test's to handle. What it prints goes to a file."""

    def __init__(self, command, folder, log):
        self.log = log
        with open(log, "ab") as out:
            self.popen = subprocess.Popen(
                [str(word) for word in command], cwd=folder, stdin=subprocess.DEVNULL, stdout=out,
                stderr=out, start_new_session=True, preexec_fn=_with_its_parent,
                env={"PATH": os.environ.get("PATH", os.defpath), "HOME": str(folder),
                     "TZ": "UTC", "LC_ALL": "C.UTF-8"})

    def runs(self):
        return self.popen.poll() is None

    def wait_until(self, answers, seconds, what):
        """Until `answers()` is true; Failed when the process ends before, or time is up."""
        end = time.monotonic() + seconds
        while not answers():
            if not self.runs():
                raise Failed(f"{what} ended with status {self.popen.returncode}\n{self.told()}")
            if time.monotonic() > end:
                raise Failed(f"{what} does not answer after {seconds} s\n{self.told()}")
            time.sleep(WAIT_S)

    def told(self):
        return self.log.read_text(errors="replace")[-4000:]

    def stop(self, seconds=20):
        """As a service manager would; killed when it takes too long."""
        if self.runs():
            self.popen.terminate()
            try:
                self.popen.wait(seconds)
            except subprocess.TimeoutExpired:
                pass
        self.kill()

    def kill(self):
        """kill -9."""
        if self.runs():
            self.popen.kill()
        self.popen.wait()
