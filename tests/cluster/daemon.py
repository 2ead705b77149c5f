#!/usr/bin/env python3
"""tallyd on servers that go away: it says so once, stays awake, ends at once, and goes on by itself.

Skipped where clickhouse-server is not installed (script/bootstrap --cluster installs it).
"""

import itertools
import json
import pathlib
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "daemon"))

import operated
from clustered import main, must, soon
from sandbox import run
from servers import Cluster

CONFIG = """control = {folder}/control
scan_interval = 200ms
settle = 0s
metrics = {folder}/tallyd.prom
metrics_interval = 1s
publish_interval = 200ms
{store}
[feed attacks]
files = *.csv
id = id
revision = revision
date = date
dim.province = province
measure.killed = killed
[rollup all]
feeds = attacks
by = province
measures = killed
"""
WATCHDOG_S = 2


class Box:
    """Two shards, and a daemon that systemd listens to."""

    def __init__(self, options, stack, patience="4s"):
        self.cluster = stack.enter_context(Cluster(shards=2))
        self.box = stack.enter_context(operated.Sandbox(options.bin, ""))
        store = self.cluster.store("tally", retry=patience, timeout=patience)
        text = self.box.config.read_text()
        self.box.config.write_text(text + CONFIG.format(folder=self.box.folder, store=store))
        self.ask("--init-store").ended(0)
        self.systemd = stack.enter_context(operated.Listener(self.box.folder))

    def ask(self, option):
        return run([self.box.programs / "tallyd", "-c", self.box.config, option])

    def start(self):
        self.box.start(self.systemd.env(WATCHDOG_USEC=str(WATCHDOG_S * 1000000)))
        self.systemd.until("READY")

    def status(self, form="json"):
        return run([self.box.programs / "tally", "-c", self.box.config, "status", "--format",
                    form]).ended(0).out

    def drop(self, number, revision):
        rows = "".join(f"A-{i},{revision},2020-10-01,P{i % 3},{revision}\n" for i in range(100))
        self.box.drop(f"{number}.csv", "id,revision,date,province,killed\n" + rows)

    def killed(self):
        return [int(row["killed"] or 0) for row in self.box.table(
            "window", "all", "--days", "1", "--end", "2020-10-01")]

    def told(self, event):
        return self.box.log().count(f"event={event}")


def test_frozen_server_pauses_intake_and_nothing_else(options, stack):
    """It accepts connections and never answers: what is in flight waits for it."""
    box = Box(options, stack)
    box.start()
    box.drop(1, 1)
    box.box.settled()
    soon(lambda: box.killed() == [100], "the rollup has the first file")
    box.cluster.freeze(1)
    box.drop(2, 2)
    soon(lambda: box.told("store_unavailable"), "it is said")
    messages = box.systemd.during(4 * WATCHDOG_S)
    fed = sum("WATCHDOG" in message for message in messages)
    must(fed >= 8, f"the watchdog was fed {fed} times in {4 * WATCHDOG_S} s")
    now = json.loads(box.status())
    must(now["paused"] and now["pause"]["event"] == "store_unavailable" and now["pause"]["error"]
         and now["engine"] == "clickhouse", f"{now}")
    must([host["reachable"] for host in now["hosts"]] == [True, False], f"{now['hosts']}")
    must("cannot be reached" in box.status("table"), box.status("table"))
    must(box.killed() == [100], "the rollup stays as it is")
    metrics = (box.box.folder / "tallyd.prom").read_text()
    must("tallyd_paused 1\n" in metrics and 'tallyd_store{engine="clickhouse"} 1\n' in metrics
         and f'tallyd_store_reachable{{host="{now["hosts"][1]["host"]}"}} 0\n' in metrics, metrics)
    box.cluster.thaw(1)
    box.box.settled()
    soon(lambda: box.killed() == [200], "the rollup has the second file")
    must(box.told("store_unavailable") == 1 and box.told("resumed") == 1, box.box.log())
    must(box.told("file_accepted") == 2, box.box.log())
    soon(lambda: not json.loads(box.status())["paused"], "it is over")
    box.box.stop()


def test_end_does_not_wait_for_a_server(options, stack):
    """Killed or frozen, in the midst of a request or between two."""
    box = Box(options, stack, patience="30s")
    comes_back = {box.cluster.freeze: box.cluster.thaw, box.cluster.kill: box.cluster.start}
    for number, (leave, pause_s) in enumerate(itertools.product(comes_back, (0.3, 3))):
        box.start()
        leave(1)
        box.drop(number, number + 1)
        time.sleep(pause_s)
        began = time.monotonic()
        box.box.stop()
        took_s = time.monotonic() - began
        must(took_s < 5, f"it took {took_s:.1f} s")
        must(box.box.names("claimed") + box.box.names("inbox") == [b"%d.csv" % number],
             f"{box.box.tree()}")
        comes_back[leave](1)
        box.box.once().ended(0)
        box.box.holds("done", *(f"{done}.csv" for done in range(number + 1)))
    must(box.told("store_failed") == 0, box.box.log())


def test_start_waits_for_the_servers(options, stack):
    """The daemon by itself; --once ends, and leaves the files."""
    box = Box(options, stack)
    box.drop(1, 1)
    box.cluster.kill(1)
    box.box.once().ended(75)
    box.box.holds("inbox", "1.csv")
    box.ask("--check").ended(0).says("the tables were not compared")
    box.ask("--init-store").ended(75)
    starting = threading.Thread(target=box.start)
    starting.start()
    soon(lambda: box.told("store_unavailable"), "it is said")
    must(not box.told("started"), box.box.log())
    box.cluster.start(1)
    starting.join()
    box.box.settled()
    soon(lambda: box.killed() == [100], "the rollup")
    must(box.told("store_unavailable") == 1, box.box.log())
    box.box.stop()


def test_what_needs_a_copy_of_the_ledger_says_what_to_do(options, stack):
    box = Box(options, stack)
    for words, instead in ((["--dry-run", box.box.config], "engine = ledger"),
                           (["--replay", "attacks"], "another `database`")):
        done = run([box.box.programs / "tallyd", "-c", box.box.config, *words])
        done.ended(64).says("not available with engine = clickhouse", instead)


if __name__ == "__main__":
    main(sys.modules[__name__])
