#!/usr/bin/env python3
"""What systemd is told, and that the watchdog starves exactly when something hangs."""

import signal
import sys
import time

import operated
from operated import must

WATCHDOG_US = 800_000
TURN_S = WATCHDOG_US / 1e6 / 4


def begin(options, stack, env=None, config=""):
    box = stack.enter_context(operated.Sandbox(options.bin, operated.config(config)))
    systemd = stack.enter_context(operated.Listener(box.folder))
    box.start(systemd.env(**(env or {})))
    return box, systemd


def watched(options, **more):
    return {"WATCHDOG_USEC": str(WATCHDOG_US), "LD_PRELOAD": str(options.shim), **more}


def test_ready_status_and_stopping(options, stack):
    """READY only when a dropped file is taken; STOPPING at the signal; nothing behind it."""
    box, systemd = begin(options, stack)
    systemd.until("READY", "1")
    must(len(systemd.told) == 1, f"told before READY: {systemd.told}")
    systemd.until("STATUS", "nothing waits, 0 batches are kept")
    box.drop("a.csv", operated.GOOD)
    systemd.until("STATUS", "nothing waits, 1 batches are kept")
    box.daemon.send_signal(signal.SIGTERM)
    systemd.until("STOPPING", "1")
    must(box.daemon.wait(15) == 0, "stopped by SIGTERM")
    must(not any("WATCHDOG" in message for message in systemd.told), "nobody asked for a watchdog")


def test_a_start_that_fails_is_never_ready(options, stack):
    box = stack.enter_context(operated.Sandbox(options.bin, operated.config("[nonsense]\n")))
    systemd = stack.enter_context(operated.Listener(box.folder))
    operated.run([box.programs / "tallyd", "-c", box.config], systemd.env()).ended(78)
    must(systemd.listen(0.1) is None, f"told {systemd.told}")


def test_an_idle_daemon_feeds_the_watchdog(options, stack):
    _, systemd = begin(options, stack, watched(options))
    systemd.until("READY")
    for _ in range(6):
        systemd.until("WATCHDOG", "1")


def test_a_worker_that_hangs_starves_the_watchdog(options, stack):
    """The loop itself is free and listens; only the sync of the ledger does not come back."""
    box = stack.enter_context(operated.Sandbox(options.bin, operated.config()))
    systemd = stack.enter_context(operated.Listener(box.folder))
    hang = box.folder / "hang"
    box.start(systemd.env(**watched(options, TALLY_HANG=str(hang))))
    systemd.until("WATCHDOG")
    hang.touch()
    box.drop("a.csv", operated.GOOD)
    box.wait((box.folder / "hang.hangs").exists, "a worker hangs")
    late = [message for message in systemd.during(8 * TURN_S) if "WATCHDOG" in message]
    must(len(late) <= 2, f"the watchdog was fed {len(late)} times while a worker hung")
    hang.unlink()
    systemd.until("WATCHDOG")
    box.settled()
    box.stop()


def test_slow_work_that_goes_on_feeds_it(options, stack):
    """One file, one chunk of rows, longer than the watchdog's time: each read is progress."""
    box, systemd = begin(options, stack, watched(options, TALLY_DAWDLE="150"),
                         "chunk_rows = 16777216\nchunk_max = 1G\nmemory_max = 2G\n")
    systemd.until("WATCHDOG")
    box.drop("long.csv", operated.rows("L", 60000))
    box.wait(lambda: b"long.csv" in box.names("claimed"), "the file is taken")
    started = time.monotonic()
    systemd.forget()
    while box.names("claimed"):
        systemd.listen(TURN_S)
    fed = sum("WATCHDOG" in message for message in systemd.told)
    took = time.monotonic() - started
    must(took > WATCHDOG_US / 1e6, f"the file took only {took:.1f} s: it shows nothing")
    must(fed >= took / TURN_S / 2, f"fed {fed} times in {took:.1f} s")
    must(int(box.table("files")[0]["rows"]) == 60000, "the file was taken in")
    box.stop()


def add_arguments(parser):
    parser.add_argument("--shim", required=True, help="the shared object built of hang.c")


if __name__ == "__main__":
    operated.run_tests(sys.modules[__name__], operated.arguments(__doc__, add_arguments),
                       "daemon notify")
