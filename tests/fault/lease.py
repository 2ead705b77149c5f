#!/usr/bin/env python3
"""A writer that opens a file in the very moment in which tallyd looks whether anybody writes it.

tallyd asks with a read lease (fcntl F_SETLEASE). The shim of tests/crash holds each lease for a
moment; an open for writing breaks it, and the kernel sends its holder a signal.
"""

import sys
import threading

import fault
from fault import must


def hold_lease(options):
    return {"LD_PRELOAD": str(options.shim), "TALLY_HOLD_LEASE": "1"}


def test_a_writer_breaks_the_lease(options, stack):
    box = stack.enter_context(fault.Sandbox(options.bin, fault.config()))
    log = box.folder / "changes"
    box.start({**hold_lease(options), "TALLY_FAULT_LOG": str(log)})
    box.drop("first.csv", fault.rows("A", 3))
    path = box.inbox / "first.csv"

    def append():
        with open(path, "a", encoding="utf-8") as out:
            out.write("A-100,1,2020-10-05,Kabul,1,\n")

    box.wait(lambda: log.exists() and " lease " in log.read_text(), "tallyd takes the lease", 5)
    writer = threading.Thread(target=append, daemon=True)
    writer.start()
    writer.join(20)
    must(not writer.is_alive(), "the writer hangs")
    box.drop("second.csv", fault.rows("B", 3))
    box.wait(lambda: b"second.csv" in box.names("done"), "the daemon goes on", 10)
    box.settled()
    box.stop()
    box.tally("verify").ended(0)


def add_arguments(parser):
    parser.add_argument("--shim", required=True, help="the shared object built of shim.c")


if __name__ == "__main__":
    fault.run_tests(sys.modules[__name__], fault.arguments(__doc__, add_arguments), "fault lease")
