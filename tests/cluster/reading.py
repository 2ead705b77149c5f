"""Figures and incidents of every moment out of the shards, against the embedded engine's.

Skipped where clickhouse-server is not installed (script/bootstrap --cluster installs it).
"""

import sys

import servers
from clustered import Skip, main, run
from current import Current
from servers import Absent, Cluster

SEEDS = 2


def read(options, cluster, seed):
    run([options.bin.parent / "tests" / "cluster_reading", str(seed), " ".join(cluster.hosts()),
         servers.NAME, f"reading_{seed}"]).ended(0).says("those of the embedded engine")


def test_two_shards_say_what_the_embedded_engine_says(options, stack):
    del stack
    with Cluster(shards=2) as cluster:
        for seed in range(SEEDS):
            read(options, cluster, seed)


def test_one_shard_does_as_well(options, stack):
    del stack
    with Cluster(shards=1) as cluster:
        read(options, cluster, SEEDS)


def test_the_clickhouse_of_today_does_as_well(options, stack):
    try:
        cluster = stack.enter_context(Current())
    except Absent as reason:
        raise Skip(str(reason)) from reason
    read(options, cluster, SEEDS + 1)


if __name__ == "__main__":
    main(sys.modules[__name__])
