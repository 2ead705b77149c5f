#!/usr/bin/env python3
"""Questions to real servers: an answer is whole or none.

Skipped where clickhouse-server is not installed (script/bootstrap --cluster installs it).
"""

import re
import subprocess
import sys
import time

import servers
from clustered import main, must
from sandbox import ENVIRONMENT, run

INVALID, NO_MEMORY, UNAVAILABLE = 1, 10, 13  # enum tally_code
ROWS = 40_000_000


def command(options, cluster, sql, *more, timeout_ms=2000, retry_ms=1000):
    return [options.bin.parent / "tests" / "cluster_asking", " ".join(cluster.hosts()),
            servers.NAME, str(timeout_ms), str(retry_ms), sql, *map(str, more)]


def ask(options, cluster, sql, *more, **keys):
    return run(command(options, cluster, sql, *more, **keys)).out.splitlines()[-1]


def answered(line, count, total):
    must(line == f"{count} {total}", f"{line}, should be {count} {total}")


def failed(line, code, *words):
    must(line.startswith(f"error {code} "), f"{line}: should be error {code}")
    must(all(word in line for word in words), f"{line}: no {words}")


def test_an_answer_that_fails_in_the_middle_is_none(options, stack):
    cluster = stack.enter_context(servers.Cluster(shards=2))
    numbers = "SELECT number{} FROM system.numbers LIMIT 5000000"
    answered(ask(options, cluster, numbers.format("")), 80_000_000, 2 * sum(range(5_000_000)))
    failed(ask(options, cluster, numbers.format(" + throwIf(number = 3000000)")), INVALID, "395")
    # Also when only one of the shards fails.
    cluster.ask("CREATE TABLE default.fails (n UInt64) ENGINE = Memory", 0)
    cluster.ask("CREATE TABLE default.fails (n UInt64) ENGINE = Memory", 1)
    cluster.ask("INSERT INTO default.fails VALUES (3000000)", 1)
    failed(ask(options, cluster, numbers.format(
        " + throwIf(number IN (SELECT n FROM default.fails))")), INVALID, "395")


def test_an_answer_whose_server_dies_is_none(options, stack):
    cluster = stack.enter_context(servers.Cluster(shards=2))
    sql = f"SELECT number FROM system.numbers LIMIT {ROWS}"
    broken = 0
    for delay_s in (0, 0, 0.05, 0.1):
        with subprocess.Popen(command(options, cluster, sql), stdout=subprocess.PIPE, text=True,
                              stdin=subprocess.DEVNULL, env=ENVIRONMENT) as asking:
            must(asking.stdout.readline() == "begun\n", "there is no answer to break off")
            time.sleep(delay_s)
            cluster.kill(1)
            line = asking.stdout.read().splitlines()[-1]
        if line.startswith("error"):
            failed(line, UNAVAILABLE, cluster.hosts()[1])
            broken += 1
        else:
            answered(line, 16 * ROWS, 2 * (ROWS * (ROWS - 1) // 2))
        cluster.start(1)
    must(broken > 0, "no answer was broken off")


def test_an_answer_of_a_server_that_comes_back_is_whole(options, stack):
    cluster = stack.enter_context(servers.Cluster(shards=1))
    sql = f"SELECT number FROM system.numbers LIMIT {ROWS}"
    with subprocess.Popen(command(options, cluster, sql, retry_ms=60000), stdout=subprocess.PIPE,
                          text=True, stdin=subprocess.DEVNULL, env=ENVIRONMENT) as asking:
        must(asking.stdout.readline() == "begun\n", "there is no answer to break off")
        cluster.kill(0)
        time.sleep(0.5)
        cluster.start(0)
        answered(asking.stdout.read().splitlines()[-1], 8 * ROWS, ROWS * (ROWS - 1) // 2)


def test_a_question_takes_as_long_as_it_takes(options, stack):
    cluster = stack.enter_context(servers.Cluster(shards=2))
    started = time.monotonic()
    slow = "SELECT toUInt64(sleep(3))"
    answered(ask(options, cluster, slow, timeout_ms=700, retry_ms=0), 16, 0)
    must(time.monotonic() - started > 2.9, "it was not slow")
    cluster.freeze(1)
    started = time.monotonic()
    failed(ask(options, cluster, slow, timeout_ms=700, retry_ms=0), UNAVAILABLE, cluster.hosts()[1])
    must(time.monotonic() - started < 20, "a server that says nothing was waited for")
    cluster.thaw(1)


def test_what_a_server_has_no_memory_for_is_said_so(options, stack):
    cluster = stack.enter_context(servers.Cluster(shards=1, memory_bytes=100 << 20))
    failed(ask(options, cluster, "SELECT length(groupArray(toString(number))) FROM (SELECT number "
               "FROM system.numbers LIMIT 100000000)"), NO_MEMORY, "241", "emory limit")


def test_numbers_go_along(options, stack):
    cluster = stack.enter_context(servers.Cluster(shards=2))
    cluster.each("CREATE TABLE default.some (number UInt64) ENGINE = Memory")
    cluster.each("INSERT INTO default.some SELECT number FROM system.numbers LIMIT 1000")
    sql = "SELECT count() FROM default.some WHERE number IN numbers"
    for padding in (0, 30000):  # what no URL holds
        for count, want in ((0, 0), (1, 1), (7, 7), (100000, 500)):
            answered(ask(options, cluster, sql, count, padding), 16, 2 * want)


def test_refusals_are_words(options, stack):
    cluster = stack.enter_context(servers.Cluster(shards=1))
    for sql, code in (("SELECT 1 +", 62), ("SELECT * FROM nowhere", 60), ("SELECT nothing", 47)):
        line = ask(options, cluster, sql, retry_ms=60000)
        must(re.search(rf"^error \d+ .*code {code}\): \S", line) and "e.what" not in line, line)


if __name__ == "__main__":
    main(sys.modules[__name__])
