#!/usr/bin/env python3
"""The control socket: one answer a request, for clients that are bounded, slow, hostile or gone."""

import contextlib
import json
import os
import random
import signal
import socket
import stat
import sys
import time

import operated
from operated import must

CLIENTS_MAX = 16
PATIENCE_S = 10


def begin(options, stack, config=""):
    box = stack.enter_context(operated.Sandbox(options.bin, "control = {folder}/control\n"))
    text = box.config.read_text().replace("{folder}", str(box.folder))
    box.config.write_text(text + operated.config(config))
    box.start()
    return box


class Client:
    def __init__(self, box):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(15)
        box.wait(lambda: self.connects(str(box.folder / "control")), "a place in the queue")
        self.lines = self.socket.makefile("rb")

    def connects(self, path):
        """False while more wait than the kernel's queue holds."""
        try:
            self.socket.connect(path)
        except BlockingIOError:
            return False
        return True

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.lines.close()
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def reply(self):
        line = self.lines.readline()
        return json.loads(line) if line else None

    def ask(self, **request):
        self.send(json.dumps(request).encode() + b"\n")
        return self.reply()

    def is_cut_off(self):
        try:
            return self.lines.readline() == b""
        except ConnectionResetError:
            return True


def status(box):
    with Client(box) as client:
        reply = client.ask(do="status")
    must(reply["ok"], f"no status: {reply}")
    return reply["status"]


def test_status_tells_what_was_done(options, stack):
    box = begin(options, stack)
    fresh = status(box)
    must(fresh["generation"] == 0 and fresh["recent"] == [] and fresh["reading"] is None,
         f"nothing yet: {fresh}")
    must([feed["feed"] for feed in fresh["feeds"]] == ["attacks"], "a feed without files is there")
    box.drop("a.csv", operated.GOOD + "G-3,1,soon,Herat,1,1\n")
    box.settled()
    box.drop("b.csv", operated.GOOD + "G-3,1,soon,Herat,1,1\n")
    box.settled()
    box.drop("c.csv", "no,such,columns\n1,2,3\n")
    box.settled()
    box.wait(lambda: len(status(box)["recent"]) == 3, "three files are told")
    now = status(box)
    must([(file["file"], file["outcome"]) for file in now["recent"]]
         == [("c.csv", "rejected"), ("b.csv", "duplicate"), ("a.csv", "accepted")],
         f"newest first: {now['recent']}")
    feed = now["feeds"][0]
    must(feed["incidents"] == 2 and feed["first_day"] == "2020-10-01"
         and feed["last_day"] == "2020-10-02" and feed["age_s"] is not None, f"{feed}")
    must(feed["rows"]["added"] == 2 and feed["rows"]["rejected"] == 1
         and feed["files"] == {"accepted": 1, "duplicate": 1, "rejected": 0, "superseded": 0},
         f"{feed}")
    must(now["generation"] == 1 and now["waiting"] == 0 and not now["paused"], f"{now}")
    must(now["engine"] == "ledger" and now["hosts"] == [] and now["pause"] is None, f"{now}")
    box.wait(lambda: status(box)["rollups"][0]["waits"] is False, "the rollup is published")
    time.sleep(1.1)  # sizes are asked for once a second
    now = status(box)
    must(now["rollups"][0]["generation"] == 1
         and now["rollups"][0]["bytes"] == (box.state / "rollup/all.rollup").stat().st_size
         and now["ledger_bytes"] == sum(path.stat().st_size
                                        for path in (box.state / "ledger").iterdir())
         and now["memory_bytes"] > 1 << 20, f"sizes: {now}")


def test_status_while_a_file_is_read(options, stack):
    """Its progress is told, and it grows."""
    box = begin(options, stack, "chunk_rows = 20\n")
    text = operated.rows("L", 60000)
    box.drop("long\x01.csv", text)
    seen = []
    while not seen or b"long\x01.csv" not in box.names("done"):
        reading = status(box)["reading"]
        seen += [reading] if reading else []
        must(len(seen) < 200000, "it never ends")
    must(len(seen) > 2, "it was never seen")
    must(all(one["file"] == "long\\x01.csv" and one["bytes_total"] == len(text) for one in seen),
         f"{seen[0]}")
    for key in ("bytes", "rows", "elapsed_ms"):
        must(all(a[key] <= b[key] for a, b in zip(seen, seen[1:])), f"{key} never shrinks")
    must(seen[-1]["rows"] > seen[0]["rows"] and seen[-1]["expected_ms"] is not None, f"{seen[-1]}")


def test_a_rescan_finds_what_no_hint_told(options, stack):
    box = begin(options, stack, "")
    box.stop()
    box.config.write_text(box.config.read_text().replace("scan_interval = 200ms",
                                                         "scan_interval = 1h"))
    box.start()
    beside = box.folder / "beside"
    beside.mkdir()
    (beside / "a.csv").write_text(operated.GOOD)
    os.utime(beside / "a.csv", (1, 1))
    box.settled()
    looks = status(box)["looks"]
    with Client(box) as client:
        for _ in range(50):
            must(client.ask(do="rescan") == {"ok": True}, "it is taken")
    box.wait(lambda: status(box)["looks"] > looks, "a look at the inbox")
    must(status(box)["looks"] <= looks + 3, "fifty requests are not fifty looks")


def test_what_is_no_request_is_told_so(options, stack):
    box = begin(options, stack)
    with Client(box) as client:
        for line in (b"", b"{}", b"[1]", b"status", b'{"do":"drop"}', b'{"do":"status","x":1}',
                     b'{"do":"rescan","follow":true}', b"\xff\xfe", b"[" * 4000, b"\x00" * 9):
            client.send(line + b"\n")
            reply = client.reply()
            must(reply["ok"] is False and reply["error"], f"{line[:40]}: {reply}")
        client.send(b'{"do":"status"}\n{"do":"metrics"}\n{"do":"rescan"}\n{"do":"sta')
        must("status" in client.reply() and "metrics" in client.reply()
             and client.reply() == {"ok": True}, "requests in one piece are answered in order")
        client.send(b'tus"}\n')
        must(client.reply()["ok"], "a request in two pieces")


def test_a_line_without_end_is_cut_off(options, stack):
    box = begin(options, stack)
    with Client(box) as client:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            client.send(b"x" * 100000)
        must(client.is_cut_off(), "a line that is too long")
    status(box)


def test_any_bytes_leave_the_daemon_alone(options, stack):
    box = begin(options, stack)
    chance = random.Random(7)
    pieces = [b'{"do":"status"}\n', b'{"do":"metrics"}\n', b'{"do":', b'"follow":true', b"\n", b"{",
              b"}", b"\x00", b"\xff\xc3\x28", b'"', b"\\u0000", b"[[[["]
    for _ in range(300):
        with Client(box) as client:
            data = b"".join(chance.choice(pieces) for _ in range(chance.randrange(40)))
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                client.send(data + os.urandom(chance.randrange(50)))
            if chance.random() < 0.5:
                client.socket.shutdown(socket.SHUT_WR)
    box.wait(lambda: can_ask(box), "their places are free again")
    box.stop()


def test_clients_are_bounded(options, stack):
    """One too many is refused at once, and its place is free when another goes."""
    box = begin(options, stack)
    with contextlib.ExitStack() as clients:
        held = [clients.enter_context(Client(box)) for _ in range(CLIENTS_MAX)]
        must(held[-1].ask(do="status")["ok"], "the last of them is answered")
        with Client(box) as late:
            must(late.is_cut_off(), "one too many is refused")
        held[0].__exit__()
        box.wait(lambda: can_ask(box), "a place is free again")
    box.drop("a.csv", operated.GOOD)
    box.settled()


def can_ask(box):
    with Client(box) as client:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            return client.ask(do="status") is not None
    return False


def test_slow_clients_are_cut_off(options, stack):
    """Who neither asks nor reads keeps no place; the daemon goes on meanwhile."""
    names = "".join(f"\n[rollup r{i}]\nfeeds = attacks\n" for i in range(400))
    box = begin(options, stack)
    box.stop()
    with open(box.config, "a", encoding="utf-8") as out:
        out.write(names)
    box.start()
    with Client(box) as silent, Client(box) as deaf, Client(box) as follower:
        deaf.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.socket.settimeout(0.2)
        with contextlib.suppress(TimeoutError):
            for _ in range(100000):
                deaf.send(b'{"do":"status"}\n')
        follower.send(b'{"do":"status","follow":true}\n')
        box.drop("a.csv", operated.GOOD)
        box.settled()
        followed = [follower.reply()["ok"] for _ in range(PATIENCE_S + 3)]
        must(all(followed), "who reads is told every second")
        must(silent.is_cut_off(), "who says nothing is cut off")
        deaf.socket.settimeout(15)
        with contextlib.suppress(ConnectionResetError):
            while deaf.socket.recv(1 << 16):
                pass
    must(status(box)["generation"] == 1, "and the daemon went on")


def test_only_its_group_may_ask(options, stack):
    box = begin(options, stack)
    mode = (box.folder / "control").stat().st_mode
    must(stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o660, f"mode {oct(mode)}")
    box.stop()
    must(not (box.folder / "control").exists(), "it goes with the daemon")


def test_a_socket_in_the_way(options, stack):
    """One of a daemon that was killed is replaced; a living one and a file are left alone."""
    box = begin(options, stack)
    box.stop(signal.SIGKILL, -signal.SIGKILL)
    must((box.folder / "control").exists(), "a killed daemon leaves its socket")
    box.start()
    status(box)
    second = stack.enter_context(operated.Sandbox(options.bin,
                                                  f"control = {box.folder}/control\n"
                                                  + operated.config()))
    second.start()
    second.says("event=control_failed", "listens")
    second.stop()
    status(box)
    box.stop()
    (box.folder / "control").write_text("somebody's")
    box.start()
    box.says("event=control_failed", "no socket")
    box.drop("a.csv", operated.GOOD)
    box.settled()
    must((box.folder / "control").read_text() == "somebody's", "a file is left alone")


def test_a_folder_that_is_not_there(options, stack):
    box = stack.enter_context(operated.Sandbox(options.bin, ""))
    box.config.write_text(f"[tallyd]\nstate = {box.state}\ncontrol = {box.folder}/absent/control\n"
                          + operated.config())
    box.start()
    box.says("event=control_failed", "its folder: No such file or directory")
    box.drop("a.csv", operated.GOOD)
    box.settled()


if __name__ == "__main__":
    operated.run_tests(sys.modules[__name__], operated.arguments(__doc__), "daemon control")
