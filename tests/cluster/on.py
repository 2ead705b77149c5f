#!/usr/bin/env python3
"""Runs a test whose daemons keep their ledger in ClickHouse.

    tests/cluster/on.py [--shards N] [--replicas N] [--current] COMMAND...

Starts the servers, names them in TALLY_TEST_HOSTS, runs the command and ends as it ends. Skipped
where the servers are not installed (script/bootstrap --cluster installs them). --current: one shard
of the ClickHouse of today instead of Debian's.
"""

import argparse
import os
import subprocess
import sys

from clustered import SKIPPED
from current import Current
from servers import Absent, Cluster


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--shards", type=int, default=2)
    parser.add_argument("--replicas", type=int, default=1)
    parser.add_argument("--current", action="store_true")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    try:
        cluster = Current() if options.current else Cluster(options.shards, options.replicas)
    except Absent as reason:
        print(f"SKIPPED: {reason}")
        return SKIPPED
    with cluster:
        environment = {**os.environ, "TALLY_TEST_HOSTS": " ".join(cluster.hosts())}
        done = subprocess.run([sys.executable, *options.command], env=environment, check=False)
        if done.returncode not in (0, SKIPPED):
            print(cluster.told())
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
