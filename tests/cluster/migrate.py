#!/usr/bin/env python3
"""tallyd --migrate: a ledger moves into a cluster and back, and says the same there.

Skipped where clickhouse-server is not installed (script/bootstrap --cluster installs it).
"""

import random
import subprocess
import sys
import time

import servers
from clustered import ATTACKS, CONFIG, figures, history, main, must
from sandbox import ENVIRONMENT, Sandbox, run

FILES = history(7, files=8) + [
    ("attacks-bad.csv", ATTACKS + "B-1,1,2020-10-01,Kabul,many,0\nB-2,1,2020-10-02,Kabul,1,\n"),
    ("attacks-none.csv", "no,such,header\n1,2,3\n"),
]


class Mover(Sandbox):
    """A tallyd whose ledger is where its configuration says, for commands too."""

    def tally(self, *words):
        return run([self.programs / "tally", "-c", self.config, *words])


def told_by(box, cluster, engine):
    """The box's ledger is there from now on."""
    section = cluster.store("moving").replace("engine = clickhouse", f"engine = {engine}")
    box.config.write_text(f"{box.plain}\n{section}")


def filled(options, stack, files):
    box = stack.enter_context(Mover(options.bin, CONFIG))
    box.plain = box.config.read_text()
    for name, content in files:
        box.drop(name, content)
        box.once()
    return box


def tallyd(box, *words):
    return run([box.programs / "tallyd", "-c", box.config, *words])


def without_repeats(found):
    """`revised` of a file that names an incident several times counts it once after the way back."""
    return {name: [row[:5] + row[6:] for row in value] if name == "files" else value
            for name, value in found.items()}


def past(box, batches):
    """Figures as of each batch."""
    return [[row for row in box.table("window", rollup, "--days", "50", "--end", "2020-10-24",
                                      "--as-of", str(batch), "--by", "")]
            for rollup in ("all", "dead") for batch in range(batches + 1)]


def test_a_ledger_moves_into_a_cluster_and_back(options, stack):
    cluster = stack.enter_context(servers.Cluster(shards=2))
    box = filled(options, stack, FILES)
    want = figures(box)
    batches = len(box.accepted())
    want_past = past(box, batches)
    told_by(box, cluster, "clickhouse")
    tallyd(box, "--init-store").ended(0)
    done = tallyd(box, "--migrate")
    done.ended(0)
    done.says(f"{batches} batches into the cluster; 0 of them")
    done.says("all: digest", "the same in both")
    must(figures(box) == want, f"on the cluster:\n{figures(box)}\nbefore:\n{want}")
    must(past(box, batches) == want_past, "the past is another one on the cluster")

    # The same once more changes nothing, and the cluster goes on from there.
    done = tallyd(box, "--migrate")
    done.ended(0)
    done.says(f"{batches} of them were there already")
    for name, content in history(8, files=3):
        box.drop(name.replace("-", "-later-"), content)
    box.once().ended(0)
    want = figures(box)

    back = stack.enter_context(Mover(options.bin, CONFIG))
    back.plain = back.config.read_text()
    told_by(back, cluster, "ledger")
    done = tallyd(back, "--migrate")
    done.ended(0)
    done.says("out of the cluster")
    done.says("dead: digest", "the same in both")
    must(without_repeats(figures(back)) == without_repeats(want), f"back on this machine:\n{figures(back)}\nbefore:\n{want}")
    must([row for row in back.table("verify") if row["state"] != "ok"] == [], "tally verify")
    box_past, back_past = past(box, batches + 3), past(back, batches + 3)
    must(box_past == back_past, "the past is another one back on this machine")


def test_a_move_that_was_killed_goes_on(options, stack):
    cluster = stack.enter_context(servers.Cluster(shards=2))
    box = filled(options, stack, history(9, files=12))
    want = figures(box)
    told_by(box, cluster, "clickhouse")
    tallyd(box, "--init-store").ended(0)
    rng = random.Random(1)
    for _ in range(4):
        moving = subprocess.Popen([box.programs / "tallyd", "-c", box.config, "--migrate"],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL, env=ENVIRONMENT)
        time.sleep(rng.uniform(0.1, 0.6))
        moving.kill()
        moving.wait()
    tallyd(box, "--migrate").ended(0)
    must(figures(box) == want, f"after kills:\n{figures(box)}\nbefore:\n{want}")


def test_another_ledger_is_refused(options, stack):
    cluster = stack.enter_context(servers.Cluster(shards=2))
    box = filled(options, stack, history(10, files=3))
    told_by(box, cluster, "clickhouse")
    tallyd(box, "--init-store").ended(0)
    tallyd(box, "--migrate").ended(0)
    want = figures(box)
    other = filled(options, stack, history(11, files=3))
    told_by(other, cluster, "clickhouse")
    done = tallyd(other, "--migrate")
    done.ended(78)
    done.says("is not what the ledger has there")
    must(figures(box) == want, "the cluster's figures changed")
    told_by(other, cluster, "ledger")
    done = tallyd(other, "--migrate")
    done.ended(78)
    done.says("holds its own beginning")


SNAPSHOTS = """\
settle = 0s
[feed s]
{mode}
revision = rev
id = id
date = date
dim.place = place
measure.dead = dead
[rollup r]
feeds = s
by = place
measures = dead
windows = 50d
"""
LOWERED = [("s-1.csv", "A,5,2020-10-01,Kabul,5\nB,9,2020-10-01,Kabul,7\n"),
           ("s-2.csv", "A,3,2020-10-01,Kabul,50\nB,9,2020-10-01,Kabul,7\n"),
           ("s-3.csv", "A,6,2020-10-01,Kabul,6\n")]


def dead(box, batch):
    return [row["dead"] for row in box.table("window", "r", "--days", "50", "--end", "2020-10-24",
                                             "--by", "", "--as-of", str(batch))]


def test_a_feed_that_was_a_snapshot_once(options, stack):
    """Its snapshots lowered a revision: exact where the cluster can say so, else refused."""
    cluster = stack.enter_context(servers.Cluster(shards=2))
    box = stack.enter_context(Mover(options.bin, SNAPSHOTS.format(mode="mode = snapshot")))
    snapshots = box.config.read_text()
    box.plain = snapshots.replace("mode = snapshot\n", "")
    for name, rows in LOWERED:
        box.config.write_text(box.plain if name == "s-3.csv" else snapshots)
        box.drop(name, "id,rev,date,place,dead\n" + rows)
        box.once().ended(0)
    want = [dead(box, batch) for batch in (1, 2, 3)]
    must(want == [["12"], ["57"], ["13"]], f"the ledger: {want}")
    told_by(box, cluster, "clickhouse")
    tallyd(box, "--init-store").ended(0)
    tallyd(box, "--migrate").ended(78).says("feed s was `mode = snapshot` with batch 1, s-1.csv")
    must(cluster.ask("SELECT count() FROM moving.tally_versions").split() == ["0"], "rows came in")
    box.plain = snapshots
    told_by(box, cluster, "clickhouse")
    tallyd(box, "--migrate").ended(0).says("the same in both")
    must([dead(box, batch) for batch in (1, 2, 3)] == want, "the past is another one")


def test_another_daemon_brings_files_meanwhile(options, stack):
    """They stand behind those of the ledger, which has moved."""
    cluster = stack.enter_context(servers.Cluster(shards=2))
    config = CONFIG[:CONFIG.index("[feed census]")] + CONFIG[CONFIG.index("[rollup all]"):
                                                              CONFIG.index("[rollup dead]")]
    box, other = (stack.enter_context(Mover(options.bin, config)) for _ in range(2))
    for one in (box, other):
        one.plain = one.config.read_text()
    files = [file for file in history(12) if file[0].startswith("attacks")]
    for name, content in files:
        box.drop(name, content)
        box.once().ended(0)
    told_by(box, cluster, "clickhouse")
    told_by(other, cluster, "clickhouse")
    tallyd(box, "--init-store").ended(0)
    tallyd(box, "--migrate").ended(0)
    (box.state / "on-cluster").unlink()  # as after a kill in front of the mark
    other.drop("attacks-other.csv", ATTACKS + "O-1,1,2020-10-01,Kabul,100,0\n")
    other.once().ended(0)
    want = figures(other)
    done = tallyd(box, "--migrate")
    done.ended(0).says("all: digest", "the same in both")
    done.says("the cluster has 1 further files, which others brought")
    done.says("moved to engine = clickhouse")
    box.once().ended(0)
    must(figures(box) == want, f"{figures(box)}\n{want}")


def test_a_file_begun_first_and_committed_last(options, stack):
    """A long one of one daemon, a short one of another meanwhile: on this machine in order of commit."""
    cluster = stack.enter_context(servers.Cluster(shards=2))
    boxes = [stack.enter_context(Mover(options.bin, CONFIG)) for _ in range(3)]
    for box in boxes:
        box.plain = box.config.read_text()
        told_by(box, cluster, "clickhouse")
    long, short, back = boxes
    tallyd(long, "--init-store").ended(0)
    for rows in (100_000, 400_000, 1_600_000):  # until it takes longer than the short one
        long.drop("attacks-long.csv", ATTACKS + "".join(
            f"L-{rows}-{i},1,2020-10-20,Kabul,1,\n" for i in range(rows)))
        reading = subprocess.Popen([long.programs / "tallyd", "-c", long.config, "--once"],
                                   stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   env=ENVIRONMENT)
        long.wait(lambda: long.names("claimed"), "it is begun")
        time.sleep(0.3)
        short.drop(f"attacks-{rows}.csv", ATTACKS + f"S-{rows},1,2020-10-20,Herat,5,\n")
        short.once().ended(0)
        must(reading.wait(120) == 0, "the long file")
        last = [row["file"] for row in short.table("files")][-2:]
        if last == [f"attacks-{rows}.csv", "attacks-long.csv"]:
            break
    else:
        must(False, f"the long file was never committed behind the short one: {last}")
    times = [row["time"] for row in short.table("files")]
    words = ["window", "all", "--days", "50", "--end", "2020-10-24", "--by", "", "--as-of"]
    want = [short.table(*words, time) for time in times]
    told_by(back, cluster, "ledger")
    tallyd(back, "--migrate").ended(0).says("the same in both")
    must([row["time"] for row in back.table("files")] == times, "other times")
    must([back.table(*words, time) for time in times] == want, "the past is another one")
    tallyd(back, "--migrate").ended(0).says("the same in both")


def test_a_move_that_fails_leaves_the_rollups(options, stack):
    """Whatever is wrong with the cluster: what is published stays what the ledger says."""
    cluster = stack.enter_context(servers.Cluster(shards=2))
    box = filled(options, stack, history(13))
    folder = box.state / "rollup"
    told_by(box, cluster, "clickhouse")
    tallyd(box, "--init-store").ended(0)
    tallyd(box, "--migrate").ended(0)
    (box.state / "on-cluster").unlink()
    cluster.ask("TRUNCATE TABLE moving.tally_versions_local")
    want = {path.name: path.read_bytes() for path in folder.iterdir()}
    tallyd(box, "--migrate").ended(65, 78).says("keep what it came from")
    must({path.name: path.read_bytes() for path in folder.iterdir()} == want, "rollups changed")


def test_without_servers_it_says_what_is_missing(options, stack):
    box = filled(options, stack, [])
    done = tallyd(box, "--migrate")
    done.ended(64)
    done.says("needs `hosts` and `cluster` in [store]")


if __name__ == "__main__":
    main(sys.modules[__name__])
