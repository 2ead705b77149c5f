#!/usr/bin/env python3
"""The log: a flood becomes a number, a terminal sees how far a file is, nothing else does."""

import os
import pty
import re
import subprocess
import sys

import operated
from operated import must

LINES = 200  # of one event within ten seconds


def counts(text):
    """Event -> lines of it, and the sums of what was suppressed."""
    said, suppressed = {}, {}
    for line in text.splitlines():
        event = re.search(r"event=(\w+)", line)[1]
        if event == "suppressed":
            of, count = re.search(r"of=(\w+) count=(\d+) seconds=\d+$", line).groups()
            suppressed[of] = suppressed.get(of, 0) + int(count)
        said[event] = said.get(event, 0) + 1
    return said, suppressed


def test_a_flood_is_summed_up(options, stack):
    """Every file is told or counted; the flood of one event hides no other."""
    box = stack.enter_context(operated.Sandbox(options.bin, operated.config()))
    refused, accepted = 3 * LINES, 5
    for i in range(refused):
        box.drop(f"a-{i:04}.csv", f"no,such,columns\n{i},2,3\n")
    for i in range(accepted):
        box.drop(f"b-{i}.csv", operated.rows("B", 1, i))
    said, suppressed = counts(box.once().ended(1).err)
    must(said["file_rejected"] >= LINES and said["file_accepted"] == accepted, f"{said}")
    must(set(suppressed) == {"file_rejected"}, f"{suppressed}")
    must(said["file_rejected"] + suppressed["file_rejected"] == refused, f"{said} {suppressed}")
    must(len(box.table("files")) == refused + accepted, "the ledger has them all")


def test_metrics_count_what_the_log_left_out(options, stack):
    box = stack.enter_context(operated.Sandbox(options.bin, ""))
    box.config.write_text(f"[tallyd]\nstate = {box.state}\nmetrics = {box.folder}/m.prom\n"
                          + operated.config())
    for i in range(LINES + 50):
        box.drop(f"a-{i:04}.csv", operated.rows("A", 1, i))
    _, suppressed = counts(box.once().ended(0).err)
    text = (box.folder / "m.prom").read_text()
    count = int(re.search(r"^tallyd_log_suppressed_total (\d+)$", text, re.MULTILINE)[1])
    must(count == suppressed.get("file_accepted", 0), f"{count} {suppressed}")


def on_terminal(box, env):
    """What `tallyd --once` writes where a terminal is its standard error."""
    master, slave = pty.openpty()
    with subprocess.Popen([box.programs / "tallyd", "-c", box.config, "--once"],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=slave,
                          env={**operated.ENVIRONMENT, **env}) as daemon:
        os.close(slave)
        text = b""
        while True:
            try:
                part = os.read(master, 65536)
            except OSError:  # the terminal has no other end any more
                break
            if not part:
                break
            text += part
        os.close(master)
        must(daemon.wait(60) == 0, text.decode(errors="backslashreplace"))
    return text.decode()


def test_a_terminal_sees_how_far_a_file_is(options, stack):
    box = stack.enter_context(operated.Sandbox(options.bin, operated.config("chunk_rows = 500\n")))
    slow = {"LD_PRELOAD": str(options.shim), "TALLY_DAWDLE": "150"}
    text = operated.rows("L", 60000)
    box.drop("long\x1b[2J.csv", text)
    shown = re.findall(rf"reading=(\S+)  (\d+) % of {len(text)} bytes  (\d+) rows"
                       r"(?:  about (\d+) min (\d\d) s left)?", on_terminal(box, slow))
    must(len(shown) > 2, f"progress is shown: {shown}")
    must(all(name == '"long\\x1b[2J.csv"' for name, *_ in shown), f"escaped: {shown[0]}")
    rows = [int(rows) for _, _, rows, _, _ in shown]
    must(rows == sorted(rows) and rows[-1] > rows[0], f"rows grow: {rows}")
    must(any(seconds for *_, seconds in shown), f"an expected time: {shown}")


def test_nobody_else_sees_it(options, stack):
    box = stack.enter_context(operated.Sandbox(options.bin, operated.config("chunk_rows = 500\n")))
    slow = {"LD_PRELOAD": str(options.shim), "TALLY_DAWDLE": "150"}
    box.drop("long.csv", operated.rows("L", 60000))
    run = box.once(slow).ended(0)
    must("reading" not in run.err + run.out and "\r" not in run.err, f"{run}")


def check_into(box, path, stream=None):
    """What --check writes into this file, where $JOURNAL_STREAM names that one or this text."""
    with open(path, "wb") as out:
        there = os.fstat(out.fileno())
        env = {"JOURNAL_STREAM": stream or f"{there.st_dev}:{there.st_ino}"}
        done = subprocess.run([box.programs / "tallyd", "-c", box.config, "--check"], stderr=out,
                              stdout=subprocess.PIPE, env={**operated.ENVIRONMENT, **env}, check=False)
    must(done.returncode == 78, f"{done}")
    return path.read_text()


def test_a_check_speaks_to_people_or_to_the_journal(options, stack):
    """systemctl reload calls it: journald wants a priority. A redirected output is for people."""
    box = stack.enter_context(operated.Sandbox(options.bin, "colour = red\n" + operated.config()))
    said = check_into(box, box.folder / "said")
    must(said.startswith("<3>event=configuration_wrong place=") and "colour" in said, said)
    for stream in ("1:2", "-", "9" * 300):
        said = check_into(box, box.folder / "said", stream)
        must(said.startswith(f"{box.config}:3: "), said)


def add_arguments(parser):
    parser.add_argument("--shim", required=True, help="the shared object built of hang.c")


if __name__ == "__main__":
    operated.run_tests(sys.modules[__name__], operated.arguments(__doc__, add_arguments),
                       "daemon logs")
