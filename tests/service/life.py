#!/usr/bin/env python3
"""A day in the life of the service: start, drops, kills, a hang, reloads, a full disk, stop."""

import json
import threading

import service
from service import INBOX, STATE

# Short enough to wait for; the rest of the unit is as installed.
WATCHDOG = """\
[Service]
WatchdogSec=4s
"""
MORE = """\
[rollup more]
feeds = attacks
measures = killed
windows = 7d
"""
DISK_BYTES = 24 << 20
LARGE_ROWS = 60_000
LEFT_BYTES = 256 << 10  # beside the file itself


def shorten(_options, stage):
    service.write(stage, "/etc/systemd/system/tallyd.service.d/test.conf", WATCHDOG)


def restarted(box, checks, name, old):
    checks.took(name, box.until(lambda: service.is_new(box, old)), box.show("tallyd", "Result"))


def drop(box, name, text):
    box.run("sh", "-c", f"cat > {INBOX}/.{name} && mv {INBOX}/.{name} {INBOX}/{name}",
            user="feeder", text=text)


def start(box, checks):
    """On a small disk of its own, which the folders are made on."""
    box.run("mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "none", STATE)
    box.run("systemd-tmpfiles", "--create", "tallyd.conf")
    service.add_people(box)
    # It opens the pages that a unit names, where there is a man to do so.
    man = [] if box.can("root", "man", "--version") else ["--man=no"]
    said = box.ask("systemd-analyze", "verify", *man, "tallyd.service", "tally-report@attacks.service",
                   "tally-report@attacks.timer", "tally-report@attacks.path")
    checks.must("systemd has nothing to say about the units", said == "", said)
    box.run("systemctl", "--no-block", "start", "tallyd")
    checks.took("start to READY", box.until(lambda: service.is_new(box, "")))
    checks.must("it says what it does", box.show("tallyd", "StatusText"))


def rollup_follows_drop(box, checks):
    drop(box, "attacks-1.csv", service.rows("A", 100))
    checks.took("drop to a rollup that a reporter reads",
                box.until(lambda: service.killed(box) == 100))


def pause_is_waited_out(box, checks):
    """Of a writer that is not tallyd, so that no lease tells; longer than `settle`."""
    text = service.rows("P", 100).replace(",1\n", ",0\n")
    half = text.index("P-50")
    box.run("sh", "-c", f'exec > {INBOX}/attacks-0.csv; printf %s "$1"; sleep 1.5; printf %s "$2"',
            "sh", text[:half], text[half:], user="feeder")
    checks.took("close of a slow file to its acceptance", box.until(
        lambda: "file=attacks-0.csv" in box.journal("tallyd")))
    checks.must("and whole", "file=attacks-0.csv feed=attacks batch=2 rows=100" in box.journal("tallyd"),
                box.journal("tallyd"))


def kill_is_survived(box, checks):
    old = service.pid(box)
    service.signal(box, "KILL")
    restarted(box, checks, "kill -9 to READY", old)
    checks.must("nothing is lost", service.killed(box) == 100)


def hang_is_noticed(box, checks):
    old = service.pid(box)
    service.signal(box, "STOP")
    restarted(box, checks, "hang to READY, with a watchdog of 4 s", old)
    checks.must("the watchdog did it", "Watchdog timeout" in box.journal("tallyd"))
    drop(box, "attacks-2.csv", service.rows("B", 100))
    checks.took("the next drop counts", box.until(lambda: service.killed(box) == 200))


def reload_slowly(box):
    """By a daemon that has something else to do for a moment."""
    service.signal(box, "STOP")
    goes_on = threading.Timer(1, service.signal, (box, "CONT"))
    goes_on.start()
    box.run("systemctl", "reload", "tallyd")
    goes_on.join()


def reload_takes_effect(box, checks):
    old = service.pid(box)
    service.write(f"/proc/{box.init}/root", "/etc/tallyd/tallyd.conf.d/more.conf", MORE)
    reload_slowly(box)
    status = json.loads(box.run("tally", "status", "--format", "json"))
    checks.must("a reload returns when it is in force",
                "more" in [rollup["rollup"] for rollup in status["rollups"]], status)
    checks.took("reload to a new rollup, filled from the ledger",
                box.until(lambda: service.killed(box, "more") == 200))
    service.write(f"/proc/{box.init}/root", "/etc/tallyd/tallyd.conf.d/more.conf", "[rollup more]\n")
    checks.must("a wrong configuration makes the reload fail",
                box.call("systemctl", "reload", "tallyd").returncode != 0)
    checks.must("and says where, as an error",
                "event=configuration_wrong place=/etc/tallyd/tallyd.conf.d/more.conf:1 "
                in box.journal("tallyd", "-p", "err"), box.journal("tallyd"))
    checks.must("it is the same process all along",
                service.pid(box) == old and service.is_new(box, ""))
    box.run("rm", "-r", "/etc/tallyd/tallyd.conf.d")
    box.run("systemctl", "reload", "tallyd")


def full_disk_is_waited_out(box, checks):
    large = service.rows("C", LARGE_ROWS)
    free = int(box.run("stat", "-f", "-c", "%a", STATE)) * 4096
    box.run("fallocate", "-l", str(free - len(large) - LEFT_BYTES), f"{STATE}/ballast")
    drop(box, "attacks-3.csv", large)
    checks.took("a full disk is told of",
                box.until(lambda: "event=intake_paused" in box.journal("tallyd")))
    old = service.pid(box)
    service.signal(box, "KILL")
    restarted(box, checks, "kill -9 to READY on a full disk", old)
    box.run("rm", f"{STATE}/ballast")
    checks.took("room to the file's rollup",
                box.until(lambda: service.killed(box) == 200 + LARGE_ROWS), service.killed(box))


def reports_follow_rollups(box, checks):
    report = "/var/lib/tally-report/attacks.csv"
    box.run("systemctl", "start", "tally-report@attacks.path", "tally-report@attacks.timer")
    drop(box, "attacks-4.csv", service.rows("D", 10))
    checks.took("drop to a report made by the path unit", box.until(
        lambda: f",{LARGE_ROWS + 210}," in box.ask("cat", report, user="outsider")),
                box.journal("tally-report@attacks"))
    checks.must("the timer waits for the morning",
                box.show("tally-report@attacks.timer", "ActiveState") == "active")


def stop_is_orderly(box, checks):
    """Also in the middle of a file, which the next start finishes."""
    drop(box, "attacks-5.csv", service.rows("E", LARGE_ROWS))
    box.until(lambda: box.can("root", "test", "-e", f"{STATE}/claimed/attacks-5.csv"))
    checks.took("stop", box.until(
        lambda: box.call("systemctl", "stop", "tallyd").returncode == 0))
    checks.must("within its time", box.show("tallyd", "Result") == "success",
                box.show("tallyd", "Result"))
    box.run("systemctl", "start", "tallyd")
    checks.took("start to the rollup of the file at hand",
                box.until(lambda: service.killed(box) == 2 * LARGE_ROWS + 210))
    checks.must("all is right", "DAMAGED" not in box.run("tally", "verify"))


def what_passes_is_tried_again(box, checks):
    """Somebody else has the lock of the state directory, and lets it go."""
    box.run("systemctl", "stop", "tallyd")
    box.run("systemd-run", "--quiet", "flock", f"{STATE}/lock", "sleep", "1")
    box.until(lambda: not box.can("root", "flock", "-n", f"{STATE}/lock", "true"))
    box.call("systemctl", "--no-block", "start", "tallyd")
    checks.took("start beside another tallyd to READY", box.until(lambda: service.is_new(box, "")))
    checks.must("it ended with status 75 before", "status=75" in box.journal("tallyd"))
    checks.must("and was started again", int(box.show("tallyd", "NRestarts")) > 0)


def ends_in_failed(box, checks, what, status):
    """At once and for good."""
    box.call("systemctl", "restart", "tallyd")
    checks.took(f"{what} ends in `failed`", box.until(
        lambda: box.show("tallyd", "ActiveState") == "failed"))
    checks.must(f"with status {status}", box.show("tallyd", "ExecMainStatus") == status)
    checks.must("and no restart", box.show("tallyd", "NRestarts") == "0")


def mistakes_do_not_loop(box, checks):
    box.run("chmod", "0", f"{STATE}/ledger")
    ends_in_failed(box, checks, "a ledger that it may not read", "77")
    box.run("chmod", "750", f"{STATE}/ledger")
    service.write(f"/proc/{box.init}/root", "/etc/tallyd/tallyd.conf", "[feed]\n")
    ends_in_failed(box, checks, "a wrong configuration", "78")


service.main([start, rollup_follows_drop, pause_is_waited_out, kill_is_survived, hang_is_noticed,
              reload_takes_effect, full_disk_is_waited_out, reports_follow_rollups, stop_is_orderly,
              what_passes_is_tried_again, mistakes_do_not_loop], prepare=shorten)
