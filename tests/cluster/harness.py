"""The servers that the tests of this folder stand on: they start, lose nothing, and end.

Skipped where clickhouse-server is not installed (script/bootstrap --cluster installs it).
"""

import os
import pathlib
import signal
import subprocess
import sys

import servers
from clustered import main, must, refused, soon
from servers import Cluster

ROWS = 2000
TABLE = """CREATE TABLE {database}.{name}_local (id UInt64, batch UInt64)
ENGINE = {engine} PARTITION BY bitShiftRight(id, 61) ORDER BY (id, batch)"""
DISTRIBUTED = """CREATE TABLE {database}.{name} AS {database}.{name}_local
ENGINE = Distributed({cluster}, {database}, {name}_local, id)"""


def make_table(cluster, engine="ReplacingMergeTree()"):
    cluster.each("CREATE DATABASE d")
    words = {"database": "d", "name": "t", "engine": engine, "cluster": servers.NAME}
    cluster.each(TABLE.format(**words))
    cluster.each(DISTRIBUTED.format(**words))


def rows(batch):
    # Multiplied so that each bit takes part, as a hash would.
    return b"".join(b"%d\t%d\n" % (i * 0x9E3779B97F4A7C15 % (1 << 64), batch)
                    for i in range(1, ROWS + 1))


def insert(cluster, batch, index=0):
    cluster.ask("INSERT INTO d.t FORMAT TabSeparated", index, rows(batch),
                insert_distributed_sync=1)


def equal(got, want):
    must(got == want, f"{got!r}, should be {want!r}")


def held(cluster, index):
    """How many (id, batch) a server has, each counted once."""
    return int(cluster.ask("SELECT count() FROM (SELECT DISTINCT id, batch FROM d.t_local)", index))


def test_a_file_is_spread_over_the_shards(options, stack):
    del options, stack
    with Cluster(shards=2) as cluster:
        make_table(cluster)
        insert(cluster, 1)
        counts = [held(cluster, i) for i in (0, 1)]
        equal(sum(counts), ROWS)
        must(min(counts) > ROWS / 3, f"one shard has next to nothing: {counts}")


def test_a_shard_that_dies_between_two_inserts_loses_nothing(options, stack):
    del options, stack
    with Cluster(shards=2) as cluster:
        make_table(cluster)
        insert(cluster, 1)
        cluster.kill(1)
        refused(servers.Refused, lambda: insert(cluster, 2))
        refused(servers.Unreachable, lambda: cluster.ask("SELECT 1", 1))
        cluster.start(1)
        insert(cluster, 2)  # the very same rows, of which the first shard may have its part
        insert(cluster, 2)
        equal(sum(held(cluster, i) for i in (0, 1)), 2 * ROWS)


def test_a_frozen_server_answers_again_after_a_thaw(options, stack):
    del options, stack
    with Cluster(shards=1) as cluster:
        cluster.freeze(0)
        must(not cluster.server[0].answers(), "a frozen server answers")
        cluster.thaw(0)
        equal(cluster.ask("SELECT 1"), "1\n")


def test_a_replica_has_what_the_other_was_told(options, stack):
    del options, stack
    with Cluster(shards=1, replicas=2) as cluster:
        make_table(cluster, "ReplicatedReplacingMergeTree('/d/{shard}/t', '{replica}')")
        insert(cluster, 1)
        soon(lambda: held(cluster, 1) == ROWS, "the second replica has all rows")
        cluster.kill(0)
        insert(cluster, 2, 1)
        cluster.start(0)
        soon(lambda: held(cluster, 0) == 2 * ROWS, "the first replica catches up")


def test_a_password_is_asked_for(options, stack):
    del options, stack
    with Cluster(shards=2, password="two words") as cluster:
        refused(servers.Refused, lambda: servers.ask(cluster.hosts()[0], "SELECT 1"))
        make_table(cluster)
        insert(cluster, 1)
        equal(cluster.ask("SELECT count() FROM d.t"), f"{ROWS}\n")
        must("password_file = " in cluster.store("d"), "the section has no password_file")


def test_nothing_is_left_of_a_test_that_was_killed(options, stack):
    """Also when it had no chance to clean up."""
    del options, stack
    text = ("import servers, sys, time\nwith servers.Cluster(1, 2) as cluster:\n"
            "    print(cluster.folder, *(one.process.popen.pid for one in cluster.server), "
            "cluster.zookeeper.process.popen.pid, flush=True)\n    time.sleep(60)\n")
    for number in (signal.SIGKILL, signal.SIGINT):
        with subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE, text=True,
                              stderr=subprocess.DEVNULL, cwd=pathlib.Path(__file__).parent) as one:
            folder, *pids = one.stdout.readline().split()
            one.send_signal(number)
        soon(lambda: not any(map(is_alive, pids)), "all servers end with their test")
        if number == signal.SIGINT:
            must(not os.path.exists(folder), f"{folder} is left")


def is_alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] != "Z"
    except OSError:
        return False


if __name__ == "__main__":
    main(sys.modules[__name__])
