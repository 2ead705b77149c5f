#!/usr/bin/env python3
"""SIGHUP: what is right comes into force without a restart, what is wrong changes nothing."""

import signal
import sys
import time

import operated
from operated import must

ROLLUP = "\n[rollup {name}]\nfeeds = attacks\n{more}measures = killed wounded\nwindows = 7d\n"
CLAIMS = "id,when,dead\nX-1,2020-10-03,4\n"
SECOND_FEED = """
[feed hospitals]
id = id
date = when
measure.dead = dead

[rollup hospitals]
feeds = hospitals
measures = dead
"""


def begin(options, stack, config=None):
    box = stack.enter_context(operated.Sandbox(options.bin, config or operated.config()))
    systemd = stack.enter_context(operated.Listener(box.folder))
    box.start(systemd.env())
    systemd.until("READY")
    box.drop("a.csv", operated.GOOD)
    box.settled()
    return box, systemd


def reload(box, systemd, event):
    """Tells the daemon, waits until systemd hears that it is done, and wants this event."""
    told = box.log().count(f"event={event}")
    box.daemon.send_signal(signal.SIGHUP)
    message = systemd.until("RELOADING", "1")
    must(int(message["MONOTONIC_USEC"]) > 0, f"RELOADING without its time: {message}")
    systemd.until("READY", "1")
    must(box.log().count(f"event={event}") == told + 1, f"no event={event}\n{box.log()}")


def add(box, text):
    with open(box.config, "a", encoding="utf-8") as out:
        out.write(text)


def digests(box):
    return {row["rollup"]: row["digest"] for row in box.table("rollups")}


def settled(box):
    """Digests once nothing waits to be published any more: rollups follow within a second."""
    before = None
    while (now := digests(box)) != before:
        before = now
        time.sleep(1.5)
    return now


def same_as_a_restart(box):
    """What the reload made is what a start with this configuration makes."""
    made = settled(box)
    box.stop()
    for path in (box.state / "rollup").iterdir():
        path.unlink()
    box.once().ended(0)
    must(digests(box) == made, f"a start makes {digests(box)}, the reload made {made}")
    box.tally("verify").ended(0)


def test_new_rollups_are_filled_and_removed_ones_go(options, stack):
    box, systemd = begin(options, stack)
    add(box, ROLLUP.format(name="whole", more="by =\n"))
    reload(box, systemd, "reloaded")
    box.wait(lambda: "whole" in digests(box), "the new rollup is published")
    must(operated.killed(box, "whole") == operated.killed(box, "all") == 4, "and has all figures")
    box.config.write_text(box.config.read_text().replace("[rollup all]", "[rollup renamed]"))
    reload(box, systemd, "reloaded")
    box.says("event=rollup_removed", "file=all.rollup")
    box.wait(lambda: sorted(digests(box)) == ["renamed", "whole"], "one came, one went")
    same_as_a_restart(box)


def test_a_removed_rollup_goes_at_a_start_too(options, stack):
    box, _ = begin(options, stack)
    box.stop()
    (box.state / "rollup" / "old.rollup").write_bytes(b"of another day")
    box.once().ended(0).says("event=rollup_removed", "file=old.rollup")
    must(list(digests(box)) == ["all"], "only what is configured stays")


def test_new_feeds_take_files(options, stack):
    box, systemd = begin(options, stack)
    add(box, SECOND_FEED)
    reload(box, systemd, "reloaded")
    box.says("event=feed_added", "feed=hospitals")
    box.drop("claims.csv", CLAIMS)
    box.settled()
    box.holds("done", "a.csv", "claims.csv")
    same_as_a_restart(box)


def test_a_wrong_configuration_changes_nothing(options, stack):
    """Each mistake is told with file and line; files and rollups go on as before."""
    box, systemd = begin(options, stack)
    before = box.config.read_text()
    add(box, SECOND_FEED + "measures = killed dead\nwindows = soon\ncolour = red\n")
    lines = box.config.read_text().splitlines()
    reload(box, systemd, "reload_refused")
    box.says("event=configuration_wrong", f"tallyd.conf:{lines.index('colour = red') + 1}")
    box.says("event=configuration_wrong", f"tallyd.conf:{lines.index('windows = soon') + 1}")
    box.drop("claims.csv", CLAIMS)
    box.drop("b.csv", operated.rows("B", 5))
    box.settled()
    box.holds("done", "a.csv", "b.csv")
    must(list(digests(box)) == ["all"], "the rollups are those of before")
    box.config.unlink()
    reload(box, systemd, "reload_refused")
    box.config.write_text(before.replace(str(box.state), str(box.folder / "elsewhere")))
    reload(box, systemd, "reload_refused")
    box.config.write_text(before + "[store]\nengine = clickhouse\nhosts = a\ncluster = c\n")
    reload(box, systemd, "reload_refused")
    box.says("event=reload_refused", "another [store] needs a restart")
    must("store_unavailable" not in box.log(), "nobody is asked")
    box.config.write_text(before)
    reload(box, systemd, "reloaded")
    must("feed_" not in box.log(), "no feed changed")
    same_as_a_restart(box)


def test_a_changed_mapping_holds_for_what_comes(options, stack):
    box, systemd = begin(options, stack)
    box.config.write_text(box.config.read_text().replace("measure.killed = killed",
                                                         "measure.killed = wounded"))
    reload(box, systemd, "reloaded")
    box.says("event=feed_changed", "feed=attacks")
    must(operated.killed(box) == 4, "what was taken in keeps its old mapping")
    box.drop("b.csv", operated.HEADER + "B-1,1,2020-10-03,Kabul,1,20\n")
    box.settled()
    box.wait(lambda: operated.killed(box) == 24, "what comes has the new one")
    same_as_a_restart(box)


def test_signals_while_a_file_is_read(options, stack):
    """Any number of them: the file is read under one configuration, then the last one holds."""
    box, systemd = begin(options, stack, operated.config("chunk_rows = 50\n"))
    rows = 20000
    box.drop("long.csv", operated.rows("L", rows))
    box.wait(lambda: box.names("claimed") or b"long.csv" in box.names("done"), "it is taken")
    for name in "abcdefgh":
        add(box, ROLLUP.format(name=f"more-{name}", more=""))
        box.daemon.send_signal(signal.SIGHUP)
        systemd.until("RELOADING")
    box.settled()
    box.wait(lambda: "more-h" in digests(box) and operated.killed(box, "more-h") == rows + 4,
             "the last configuration is in force")
    must(operated.killed(box) == rows + 4, "each row counts once")
    same_as_a_restart(box)


def test_signals_while_a_reload_is_at_work(options, stack):
    """The one at work goes on with what it was given, and the last one is in force behind it."""
    box, systemd = begin(options, stack)
    rows = 200_000
    box.drop("long.csv", operated.rows("L", rows))
    box.settled()
    before = box.config.read_text()
    for attempt in range(6):
        for name in "one", "two":
            more = "".join(ROLLUP.format(name=f"{name}-{attempt}-{i}", more="by = province\n")
                           for i in range(4))
            box.config.write_text(before + more)
            box.daemon.send_signal(signal.SIGHUP)
            systemd.until("RELOADING")
            time.sleep(0.003 * attempt)
        systemd.until("READY")
        want = sorted(["all"] + [f"two-{attempt}-{i}" for i in range(4)])
        box.wait(lambda: sorted(digests(box)) == want, f"the last configuration: {want}")
        must(operated.killed(box, f"two-{attempt}-3") == rows + 4, "each row counts once")
    same_as_a_restart(box)


if __name__ == "__main__":
    operated.run_tests(sys.modules[__name__], operated.arguments(__doc__), "daemon reload")
