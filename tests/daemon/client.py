#!/usr/bin/env python3
"""tally status, rescan and wait against a running tallyd, and against none."""

import csv
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading

import operated
from operated import must


def begin(options, stack, started=True):
    box = stack.enter_context(operated.Sandbox(options.bin, ""))
    box.config.write_text(f"[tallyd]\nstate = {box.state}\ncontrol = {box.folder}/control\n"
                          + operated.config())
    if started:
        box.start()
    return box


def ask(box, *words):
    return operated.run([box.programs / "tally", "-c", box.config, *words])


def spawn(box, *words):
    return subprocess.Popen([box.programs / "tally", "-c", box.config, *words], text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            env=operated.ENVIRONMENT)


def take_in_some(box):
    box.drop("a.csv", operated.GOOD + "G-3,1,soon,Herat,1,1\n")
    box.settled()
    box.drop("with space.csv", "no,such,columns\n1,2,3\n")
    box.settled()
    box.wait(lambda: len(json.loads(ask(box, "status", "--format", "json").out)["recent"]) == 2,
             "both are told")


def test_status_says_the_same_in_every_format(options, stack):
    box = begin(options, stack)
    take_in_some(box)
    told = json.loads(ask(box, "status", "--format", "json").ended(0).out)
    rows = list(csv.DictReader(io.StringIO(ask(box, "status").ended(0).out)))
    values = {(row["area"], row["name"], row["key"]): row["value"] for row in rows}
    must(values["tallyd", "", "generation"] == str(told["generation"]) == "1", f"{values}")
    must(values["feed", "attacks", "rows.rejected"] == "1"
         and values["feed", "attacks", "last_day"] == "2020-10-02"
         and values["rollup", "all", "generation"] == "1"
         and values["file", "with space.csv", "outcome"] == "rejected", f"{values}")
    table = ask(box, "status", "--format", "table").ended(0)
    table.says("generation 1", "2 incidents")
    table.says("attacks", "2020-10-01", "2020-10-02")
    table.says("with space.csv", "rejected")
    table.says("0 files wait")
    text = ask(box, "status", "--format", "openmetrics").ended(0).out
    must(text.endswith("# EOF\n") and "tallyd_generation 1\n" in text, text)


def test_status_follows_until_the_daemon_ends(options, stack):
    box = begin(options, stack)
    follower = spawn(box, "status", "--follow", "--format", "json")
    first = json.loads(follower.stdout.readline())
    must(first["generation"] == 0, f"{first}")
    box.drop("a.csv", operated.GOOD)
    while (now := json.loads(follower.stdout.readline()))["generation"] == 0:
        pass
    must(now["generation"] == 1, f"{now}")
    box.stop()
    follower.communicate(timeout=15)
    must(follower.returncode == 0, f"it ends with the daemon: {follower.returncode}")


def test_where_nobody_listens(options, stack):
    box = begin(options, stack, started=False)
    ask(box, "status").ended(66).says("no tallyd answers")
    ask(box, "rescan").ended(66).says("no tallyd answers")
    box.tally("status").ended(64).says("--socket")
    ask(box, "status", "--socket", "/" + "x" * 200).ended(64).says("too long")
    ask(box, "files", "--format", "openmetrics").ended(64).says("tally status alone")
    ask(box, "status", "--follow", "--format", "openmetrics").ended(64)
    box.config.write_text(box.config.read_text().replace(f"{box.folder}/control", "off"))
    ask(box, "status").ended(78).says("control = off")


def serve(path, reply):
    """Somebody else on the socket, who gives this reply to whatever is asked."""
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen()

    def answer():
        client, _ = server.accept()
        client.recv(4096)
        client.sendall(reply)
        client.close()

    threading.Thread(target=answer, daemon=True).start()
    return server


def test_replies_that_are_none(options, stack):
    box = begin(options, stack, started=False)
    for reply, status in ((b"", 66), (b'{"ok":true', 66), (b"hello\n", 65), (b"[]\n", 65),
                          (b'{"ok":false,"error":"not today"}\n', 65), (b"\xff\xfe\x00\n", 65),
                          (b'{"ok":1}\n', 65), (b'{"ok":true}\n', 0),
                          (b'{"ok":true,"status":{"feeds":7,"recent":[3,{}],"reading":[]}}\n', 0)):
        path = box.folder / "control"
        server = serve(path, reply)
        ask(box, "status", "--format", "table").ended(status)
        server.close()
        path.unlink()


def test_rescan(options, stack):
    box = begin(options, stack)
    must(ask(box, "rescan").ended(0).out == "", "it says nothing")


def generation(box):
    return int(box.table("rollups")[0]["generation"])


def test_wait_ends_with_what_is_new(options, stack):
    box = begin(options, stack)
    box.wait(lambda: box.names("rollup"), "the rollup is there")
    waiting = spawn(box, "wait", "all", "--after", "0", "--timeout", "60")
    box.drop("a.csv", operated.GOOD)
    out, err = waiting.communicate(timeout=60)
    must(waiting.returncode == 0 and out == "1\n" and err == "", f"{out} {err}")
    must(ask(box, "wait", "all", "--after", "0").ended(0).out == "1\n", "at once, if it is known")
    told = json.loads(ask(box, "wait", "all", "--after", "0", "--format", "json").ended(0).out)
    must(told == [{"rollup": "all", "generation": 1}], f"{told}")
    path = box.state / "rollup" / "all.rollup"
    must(operated.run([box.programs / "tally", "wait", path, "--after", "0"]).out == "1\n",
         "by its path")


def test_wait_misses_nothing(options, stack):
    """Each generation ends a wait for the one before, whenever it comes."""
    box = begin(options, stack)
    box.drop("0.csv", operated.rows("A", 1))
    known = ask(box, "wait", "all", "--after", "0", "--timeout", "60").ended(0).out
    for round_ in range(1, 25):
        waiting = spawn(box, "wait", "all", "--after", known.strip(), "--timeout", "60")
        box.drop(f"{round_}.csv", operated.rows("A", 1, round_))
        out, _ = waiting.communicate(timeout=60)
        must(waiting.returncode == 0 and int(out) == int(known) + 1, f"after {known}: {out}")
        known = out


def test_wait_gives_up(options, stack):
    box = begin(options, stack)
    box.drop("a.csv", operated.GOOD)
    ask(box, "wait", "all", "--after", "0", "--timeout", "60").ended(0)
    ask(box, "wait", "all", "--after", "1", "--timeout", "0").ended(75).says("nothing new")
    ask(box, "wait", "all", "--after", "1", "--timeout", "1").ended(75)
    ask(box, "wait", "other", "--after", "1").ended(66).says("no rollup 'other'")
    ask(box, "wait", "other", "--after", "0", "--timeout", "0").ended(75)
    ask(box, "wait", "all").ended(64).says("--after")
    ask(box, "wait", "all", "--after", "soon").ended(64)
    box.stop()
    (box.state / "rollup" / "all.rollup").write_bytes(b"damaged")
    ask(box, "wait", "all", "--after", "0", "--timeout", "5").ended(65)
    shutil.rmtree(box.state / "rollup")
    ask(box, "wait", "all", "--after", "0", "--timeout", "5").ended(66)


def test_wait_without_a_daemon(options, stack):
    """A rollup that comes from elsewhere, renamed in by whoever copies it."""
    box = begin(options, stack, started=False)
    box.drop("a.csv", operated.GOOD)
    box.once().ended(0)
    waiting = spawn(box, "wait", "all", "--after", "1", "--timeout", "60")
    box.drop("b.csv", operated.rows("B", 3))
    box.once().ended(0)
    out, _ = waiting.communicate(timeout=60)
    must(out == "2\n" and generation(box) == 2, f"{out}")
    waiting = spawn(box, "wait", "all", "--after", "2")
    waiting.send_signal(signal.SIGINT)
    waiting.communicate(timeout=15)
    must(waiting.returncode == -signal.SIGINT and os.path.exists(box.state), "it can be stopped")


def test_help_has_no_option_that_is_refused(options, _):
    """A state directory does not say where its daemon listens."""
    tally = options.bin / "tally"
    for command in ("status", "rescan"):
        must("--state" not in operated.run([tally, command, "--help"]).ended(0).out, command)
        operated.run([tally, "-s", "/nowhere", command]).ended(64).says("--socket")
        operated.run([tally, "-s", "/nowhere", command, "--socket", "/nowhere/s"]).ended(66)


def test_where_nothing_is_by_default(options, _):
    if os.path.exists("/etc/tallyd/tallyd.conf") or os.path.exists("/var/lib/tallyd"):
        raise operated.Skip("a tallyd is installed here")
    for words in (["rollups"], ["files"], ["window", "all", "--days", "7"],
                  ["wait", "all", "--after", "1"]):
        operated.run([options.bin / "tally", *words]).ended(66).says(
            "neither -c FILE nor -s DIR", "/var/lib/tallyd")


if __name__ == "__main__":
    operated.run_tests(sys.modules[__name__], operated.arguments(__doc__), "daemon client")
