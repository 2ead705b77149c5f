"""A tallyd of its own in a fresh directory: drop files, run it, ask what it holds.

Shared by tests/crash and tests/fault. A test is a function `test_...`; `run_tests` calls all of
them, prints each failure, and ends in one line that says what held.
"""

import argparse
import contextlib
import csv
import hashlib
import io
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDERS = ("inbox", "claimed", "done", "rejected")
TIMEOUT_S = 60

# The shim stands before a sanitizer's own runtime, which would otherwise refuse to start.
ENVIRONMENT = {**os.environ, "TZ": "UTC", "LC_ALL": "C.UTF-8", "NO_COLOR": "1",
               "ASAN_OPTIONS": "verify_asan_link_order=0:" + os.environ.get("ASAN_OPTIONS", "")}


class Failure(Exception):
    """Something does not hold."""


class Skip(Exception):
    """This machine does not allow the test; the text says why."""


def must(condition, text):
    if not condition:
        raise Failure(text)


class Run:
    """What a program said and how it ended."""

    def __init__(self, command, status, out, err):
        self.command, self.status, self.out, self.err = command, status, out, err

    def says(self, *words):
        """All of these words, in one line of what it said."""
        lines = (self.out + self.err).splitlines()
        must(any(all(word in line for word in words) for line in lines),
             f"no line with {' and '.join(map(repr, words))} in what it said:\n{self}")
        return self

    def ended(self, *statuses):
        must(self.status in statuses, f"exit status not {' or '.join(map(str, statuses))}:\n{self}")
        return self

    def __str__(self):
        words = " ".join(str(word) for word in self.command)
        return f"$ {words}\n{self.out[-3000:]}{self.err[-3000:]}exit status {self.status}"


# A child that is about to become another program holds all our files for a moment: one of them, on
# its way into an inbox, would look as if somebody still wrote it, and be overtaken.
SPAWNING = threading.Lock()


def run(command, env=None, cwd=None, timeout=TIMEOUT_S, **more):
    with SPAWNING:
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                 stdin=subprocess.DEVNULL, cwd=cwd,
                                 env={**ENVIRONMENT, **(env or {})}, **more)
    with child:
        try:
            out, err = child.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            child.kill()
            raise
    return Run(command, child.returncode, out.decode(errors="backslashreplace"),
               err.decode(errors="backslashreplace"))


def fast_directory():
    """Memory where there is some: the tests kill processes, not machines."""
    shm = "/dev/shm"
    return shm if os.access(shm, os.W_OK) and shutil.disk_usage(shm).free > 1 << 30 else None


class Sandbox:
    """A configuration and a state directory. `config` holds what stands behind [tallyd]'s state."""

    def __init__(self, programs, config, where=None):
        self.programs = programs
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tally-test-",
                                                    dir=where or fast_directory()))
        self.folder.chmod(0o755)
        self.state = self.folder / "state"
        self.config = self.folder / "tallyd.conf"
        self.config.write_text(f"[tallyd]\nstate = {self.state}\n{config}")
        self.daemon = None
        (self.state / "inbox").mkdir(parents=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.daemon and self.daemon.poll() is None:
            self.daemon.kill()
            self.daemon.wait()
        shutil.rmtree(os.fsencode(self.folder), ignore_errors=True)

    @property
    def inbox(self):
        return self.state / "inbox"

    def drop(self, name, content):
        """Beside first, then renamed in, as a careful sender does. Names may be bytes."""
        content = content.encode() if isinstance(content, str) else content
        beside = self.folder / ".dropping"
        with SPAWNING:
            beside.write_bytes(content)
        os.rename(beside, os.path.join(os.fsencode(self.inbox), os.fsencode(name)))

    def once(self, env=None, **more):
        return run([self.programs / "tallyd", "-c", self.config, "--once"], env, **more)

    def check(self):
        return run([self.programs / "tallyd", "-c", self.config, "--check"])

    def tally(self, *words):
        return run([self.programs / "tally", "--state", self.state, *words])

    def table(self, *words):
        """The rows that `tally ... --format csv` prints, as dicts."""
        text = self.tally(*words, "--format", "csv").ended(0).out
        return list(csv.DictReader(io.StringIO(text)))

    def accepted(self):
        """Digest -> row of `tally files`, each at most once."""
        rows = [row for row in self.table("files") if row["outcome"] == "accepted"]
        by_digest = {row["digest"]: row for row in rows}
        must(len(by_digest) == len(rows), f"a file was accepted twice: {rows}")
        return by_digest

    def names(self, folder):
        there = self.state / folder
        return sorted(os.listdir(os.fsencode(there))) if there.is_dir() else []

    def holds(self, folder, *names):
        got = self.names(folder)
        want = sorted(os.fsencode(name) for name in names)
        must(got == want, f"{folder}/ holds {got}, not {want}")

    def content(self, folder):
        """Name -> digest of what stands in a folder."""
        base = os.fsencode(self.state / folder)
        return {name: hashlib.sha256(pathlib.Path(os.fsdecode(os.path.join(base, name)))
                                     .read_bytes()).hexdigest()
                for name in self.names(folder)}

    def tree(self):
        """Every file below the state directory: inode, size and time of change."""
        found = {}
        for folder, _, names in os.walk(self.state):
            for name in names:
                status = os.lstat(os.path.join(folder, name))
                found[os.path.join(folder, name)] = (status.st_ino, status.st_size,
                                                     status.st_mtime_ns)
        return found

    def start(self, env=None, program=None):
        """The watching daemon, its log in a file. `program`: another command than tallyd's path."""
        started_before = self.log().count("event=started")
        log = open(self.folder / "log", "ab")
        command = [*(program or [self.programs / "tallyd"]), "-c", self.config]
        with SPAWNING:
            self.daemon = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                           env={**ENVIRONMENT, **(env or {})})
        log.close()
        self.wait(lambda: self.log().count("event=started") > started_before,
                  "it says that it started")

    def log(self):
        path = self.folder / "log"
        return path.read_text(errors="backslashreplace") if path.exists() else ""

    def says(self, *words, within_s=15):
        self.wait(lambda: any(all(word in line for word in words)
                              for line in self.log().splitlines()),
                  f"a line of the log with {' and '.join(map(repr, words))}", within_s)

    def wait(self, condition, what, within_s=15, pause_s=0.01):
        end = time.monotonic() + within_s
        while not condition():
            if self.daemon and self.daemon.poll() is not None and not condition():
                raise Failure(f"waited for: {what}, but the daemon ended with "
                              f"{self.daemon.returncode}\n{self.log()[-3000:]}")
            must(time.monotonic() < end,
                 f"waited {within_s} s for: {what}\n{self.log()[-3000:]}")
            time.sleep(pause_s)

    def settled(self, within_s=30):
        self.wait(lambda: not self.names("inbox") and not self.names("claimed"),
                  "an empty inbox", within_s)

    def stop(self, number=signal.SIGTERM, want=0):
        self.daemon.send_signal(number)
        status = self.daemon.wait(TIMEOUT_S)
        must(status == want, f"stopped by signal {number}: exit status {status}, not {want}\n"
                             f"{self.log()[-3000:]}")
        self.daemon = None


def is_sanitized(programs):
    return b"__asan_init" in (programs / "tallyd").read_bytes()


def arguments(text, add=None):
    parser = argparse.ArgumentParser(description=text.split("\n", 1)[0])
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "build" / "bin",
                        help="where tallyd and tally are (build/bin)")
    if add:
        add(parser)
    parser.add_argument("names", nargs="*", metavar="TEST", help="tests (all)")
    options = parser.parse_args()
    options.bin = options.bin.resolve()
    return options


def run_tests(module, options, what):
    """Calls each test_NAME(options), prints failures and skips, sets the exit status."""
    tests = {name[5:]: function for name, function in vars(module).items()
             if name.startswith("test_")}
    failed = []
    for name, function in tests.items():
        if options.names and name not in options.names:
            continue
        started = time.monotonic()
        with contextlib.ExitStack() as stack:
            try:
                function(options, stack)
                print(f"ok    {name}  ({time.monotonic() - started:.1f} s)", flush=True)
            except Skip as reason:
                print(f"SKIP  {name}: {reason}", flush=True)
            except (Failure, subprocess.TimeoutExpired) as failure:
                print(f"FAIL  {name}: {failure}", flush=True)
                failed.append(name)
    if failed:
        sys.exit(f"{what}: {len(failed)} of {len(tests)} tests fail: {' '.join(failed)}")
    print(f"{what}: {len(options.names or tests)} tests hold")
