#!/usr/bin/env python3
"""Servers die, answers get lost, the daemon is killed: each file counts once, none is lost.

Whatever happens, the figures are in the end those of the embedded ledger that was given the same
files in the same order. Skipped where clickhouse-server is not installed (script/bootstrap
--cluster installs it).
"""

import itertools
import random
import sys
import time

import servers
from clustered import Way, drop_all, embedded, figures, history, main, must, same, soon


def ends_as(box, want):
    """The daemon that runs settles all of it, publishes it, and ends."""
    box.settled(60)
    rollups = {name: value for name, value in want.items() if name != "files"}
    soon(lambda: rollups.items() <= figures(box).items(), "all is published", 60)
    box.stop()
    same(box, want)


def test_nothing_fails(options, stack):
    """The same figures, first of all."""
    way = Way(stack, shards=2)
    files = history(1)
    box = way.box(options, stack)
    drop_all(box, files)
    box.once().ended(0)
    same(box, embedded(options, files))
    counts = way.cluster.each(f"SELECT count() FROM {way.database}.tally_versions_local")
    must("0\n" not in counts, f"one shard has none of it: {counts}")


def test_every_insert_is_done_twice(options, stack):
    """Its answer is lost the first time, so that the same rows come again."""
    way = Way(stack, shards=2)
    files = history(3)
    box = way.box(options, stack)
    lost = {}

    def forget(index, asked):
        key = (index, asked.sql, asked.bytes)
        lost[key] = lost.get(key, 0) + 1
        return "lost" if asked.is_insert and lost[key] % 2 == 1 else None

    way.fault(forget)
    drop_all(box, files)
    box.once().ended(0)
    must(len(lost) > 5, f"only {len(lost)} inserts")
    way.fault(lambda index, asked: None)
    same(box, embedded(options, files))


def killed_at(way, victim, table):
    """The victim dies as the first insert into a table is on its way."""
    came = itertools.count(1)

    def kill(index, asked):
        if asked.is_into(table) and next(came) == 1:
            way.cluster.kill(victim)

    way.fault(kill)


def survives(options, stack, way, victim, table):
    """Intake pauses, and goes on by itself when the victim is back."""
    files = history(f"{victim} {table}")
    box = way.box(options, stack, retry="1s")
    box.start()
    killed_at(way, victim, table)
    drop_all(box, files)
    soon(lambda: not way.cluster.server[victim].process.runs(), f"an insert into {table}")
    box.says("event=store_unavailable")
    time.sleep(1)
    must(box.names("claimed") or box.names("inbox"), "all is settled without a shard")
    way.cluster.start(victim)
    box.says("event=resumed")
    ends_as(box, embedded(options, files))


def test_a_shard_dies_during_an_insert_of_versions(options, stack):
    way = Way(stack, shards=2)
    for victim in (0, 1):
        survives(options, stack, way, victim, "tally_versions")


def test_the_first_shard_dies_at_a_commit(options, stack):
    survives(options, stack, Way(stack, shards=2), 0, "tally_batches_local")


def test_a_shard_is_away_at_the_commit(options, stack):
    """All its versions are there, so the batch counts, or it waits; never half of it."""
    way = Way(stack, shards=2)
    files = history(5)
    box = way.box(options, stack, retry="1s")
    box.start()
    killed_at(way, 1, "tally_batches_local")
    drop_all(box, files)
    soon(lambda: not way.cluster.server[1].process.runs(), "a commit")
    time.sleep(3)
    way.cluster.start(1)
    ends_as(box, embedded(options, files))


def test_what_was_never_committed_counts_nowhere(options, stack):
    """The daemon ends with all versions of a file on the shards; the file is never seen again."""
    way = Way(stack, shards=2)
    files = history(12, files=4)
    last = ("attacks-last.csv", history(13, files=4)[0][1])
    must(last[1].startswith("id,revision"), "not a file of attacks")
    box = way.box(options, stack)
    drop_all(box, files)
    box.once().ended(0)
    before = way.cluster.each(f"SELECT count() FROM {way.database}.tally_versions_local")
    box.start()

    def kill(index, asked):
        del index
        if asked.is_into("tally_batches_local"):
            box.daemon.kill()
            return "down"
        return None

    way.fault(kill)
    box.drop(*last)
    box.daemon.wait(60)
    box.daemon = None
    way.fault(lambda index, asked: None)
    after = way.cluster.each(f"SELECT count() FROM {way.database}.tally_versions_local")
    must(before != after, "none of its versions came to the shards")
    box.holds("claimed", last[0])
    (box.state / "claimed" / last[0]).unlink()
    window = ("window", "all", "--days", "366", "--end", "2020-12-31", "--by", "province")
    must(box.table(*window, "--engine", "clickhouse") == box.table(*window), "it counts")
    box.once().ended(0)
    same(box, embedded(options, files))
    box.drop("attacks-more.csv", last[1])  # judged as if it came for the first time
    box.once().ended(0)
    same(box, embedded(options, [*files, ("attacks-more.csv", last[1])]))


def test_the_daemon_is_killed_again_and_again(options, stack):
    way = Way(stack, shards=2)
    rng = random.Random(6)
    files = history(6, files=12)
    want = embedded(options, files)
    box = way.box(options, stack)
    left = list(files)
    for _ in range(8):
        box.start()
        for name, content in [left.pop(0) for _ in range(min(len(left), 1))]:
            box.drop(name, content)
        time.sleep(rng.choice([0, 0.02, 0.05, 0.1, 0.2, 0.4]))
        box.daemon.kill()
        box.daemon.wait()
        box.daemon = None
    drop_all(box, left)
    box.once().ended(0)
    same(box, want)


def test_servers_restart_midway(options, stack):
    way = Way(stack, shards=2)
    rng = random.Random(7)
    files = history(7, files=16)
    box = way.box(options, stack, retry="2s")
    box.start()
    for name, content in files:
        box.drop(name, content)
        if rng.random() < 0.4:
            victim = rng.randrange(2)
            time.sleep(rng.choice([0, 0.1, 0.3]))
            way.cluster.kill(victim)
            time.sleep(rng.choice([0, 0.5]))
            way.cluster.start(victim)
    ends_as(box, embedded(options, files))


def test_a_shard_that_says_nothing_is_waited_for(options, stack):
    way = Way(stack, shards=2)
    files = history(8)
    box = way.box(options, stack, retry="1s", timeout="1s")
    box.start()
    way.cluster.freeze(1)
    drop_all(box, files)
    box.says("event=store_unavailable")
    way.cluster.thaw(1)
    ends_as(box, embedded(options, files))


def test_no_figure_leaves_a_shard_out(options, stack):
    """Where a shard is away there is no answer, rather than the half of one."""
    way = Way(stack, shards=2)
    files = history(9)
    box = way.box(options, stack, retry="1s")
    drop_all(box, files)
    box.once().ended(0)
    year = ("all", "--days", "365", "--end", "2020-12-31")
    questions = [("window", *year, "--engine", "clickhouse"), ("window", *year, "--as-of", "1"),
                 ("explain", *year),
                 ("verify",)]
    before = [box.tally(*words, "--format", "csv").ended(0).out for words in questions]
    for victim in (0, 1):
        way.cluster.kill(victim)
        for words in questions:
            done = box.tally(*words, "--format", "csv")
            must(done.status != 0 and not done.out, f"figures without a shard:\n{done}")
        way.cluster.start(victim)
    for words, want in zip(questions, before):
        must(box.tally(*words, "--format", "csv").ended(0).out == want, f"{words}: other figures")


def test_a_run_without_servers_leaves_the_files(options, stack):
    way = Way(stack, shards=2)
    files = history(10)
    box = way.box(options, stack, retry="1s")
    drop_all(box, files)
    way.cluster.kill(1)
    done = box.once()
    must(done.status not in (0, 1), f"settled without a shard:\n{done}")
    must(len(box.names("inbox") + box.names("claimed")) == len(files), "files went somewhere")
    way.cluster.start(1)
    box.once().ended(0)
    same(box, embedded(options, files))


def test_a_replica_may_go(options, stack):
    """The other one takes the inserts and the questions; the first has all when it is back."""
    way = Way(stack, shards=1, replicas=2)
    files = history(11, files=6)
    want = embedded(options, files)
    box = way.box(options, stack)
    for number, (name, content) in enumerate(files):
        if number == 2:
            catch_up(way, 1)
            way.cluster.kill(0)
        if number == 4:
            way.cluster.start(0)
        box.drop(name, content)
        box.once().ended(0)
    same(box, want)
    catch_up(way, 0)
    way.cluster.kill(1)  # the one that had all of it
    soon(lambda: figures_hold(box, want), "the replica that was away has all of it", 60)


def catch_up(way, index):
    """An insert is whole on one replica: what this one has not fetched yet goes with the other."""
    tables = way.cluster.ask("SELECT name FROM system.tables WHERE engine LIKE 'Replicated%' "
                             f"AND database = '{way.database}'", index).split()
    must(tables, "no replicated tables")
    for table in tables:
        way.cluster.ask(f"SYSTEM SYNC REPLICA {way.database}.{table}", index)


def figures_hold(box, want):
    return box.tally("verify").status == 0 and figures(box) == want


if __name__ == "__main__":
    main(sys.modules[__name__])
