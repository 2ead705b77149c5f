#!/usr/bin/env python3
"""How a cluster is reached and made ready, and what is said where that fails.

Skipped where clickhouse-server is not installed (script/bootstrap --cluster installs it).
"""

import sys

import servers
from clustered import Box, embedded, history, main, must, same
from sandbox import run

FILES = history(50, files=3, rows=50)


def check(box):
    return run([box.programs / "tallyd", "-c", box.config, "--check"])


def make(box):
    return run([box.programs / "tallyd", "-c", box.config, "--init-store"])


def store_with(servers_there, database, **keys):
    """A [store] section that gives up soon."""
    return servers_there.store(database, retry="1s", **keys)


def test_over_tls_and_with_a_password(options, stack):
    cluster = stack.enter_context(servers.Cluster(shards=2, password="two words", tls=True))
    box = stack.enter_context(Box(options, cluster.store("private")))
    for name, content in FILES:
        box.drop(name, content)
        box.once().ended(0)
    same(box, embedded(options, FILES))
    check(box).ended(0)


def test_a_wrong_password_is_said(options, stack):
    cluster = stack.enter_context(servers.Cluster(shards=2, password="right"))
    wrong = cluster.folder / "wrong"
    wrong.write_text("wrong\n")
    wrong.chmod(0o600)
    section = store_with(cluster, "d").replace(str(cluster.folder / "password"), str(wrong))
    box = stack.enter_context(Box(options, section, make=False))
    for done in (make(box), box.once()):
        must(done.status not in (0, 1), f"a wrong password will do:\n{done}")
        done.says("assword")


def test_a_certificate_of_somebody_else_is_refused(options, stack):
    cluster = stack.enter_context(servers.Cluster(shards=1, tls=True))
    other = cluster.folder / "other"
    other.mkdir()
    servers.make_certificate(other)
    section = store_with(cluster, "d").replace(str(cluster.folder / "server.crt"),
                                               str(other / "server.crt"))
    box = stack.enter_context(Box(options, section, make=False))
    done = make(box)
    must(done.status != 0, f"any certificate will do:\n{done}")
    done.says("certificate")


def test_what_is_not_there_is_said(options, stack):
    cluster = stack.enter_context(servers.Cluster(shards=2))
    cases = [
        ({"cluster": "another"}, ["another", "remote_servers"]),
        ({"hosts": cluster.hosts()[0]}, ["shard 2"]),
        ({"hosts": "127.0.0.1:1"}, ["127.0.0.1:1"]),
        ({"password_file": "/nonexistent"}, ["/nonexistent"]),
    ]
    for keys, words in cases:
        box = stack.enter_context(Box(options, store_with(cluster, "d", **keys), make=False))
        done = make(box)
        must(done.status != 0, f"{keys} will do:\n{done}")
        done.says(*words)


def test_without_tables_nothing_is_taken(options, stack):
    cluster = stack.enter_context(servers.Cluster(shards=2))
    box = stack.enter_context(Box(options, store_with(cluster, "bare"), make=False))
    box.drop(*FILES[0])
    done = box.once()
    must(done.status not in (0, 1), f"there are no tables:\n{done}")
    done.says("--init-store")
    must(not box.names("done"), "the file was taken")
    must(check(box).status != 0, "--check finds nothing wrong")
    make(box).ended(0)
    check(box).ended(0)
    make(box).ended(0)  # once more is harmless
    box.once().ended(0)
    box.holds("done", FILES[0][0])


def test_a_table_that_differs_is_named(options, stack):
    cluster = stack.enter_context(servers.Cluster(shards=2))
    box = stack.enter_context(Box(options, store_with(cluster, "changed")))
    check(box).ended(0)
    cluster.ask("ALTER TABLE changed.tally_versions_local DROP COLUMN line", 1)
    for done in (check(box), make(box)):
        must(done.status != 0, f"a column is missing:\n{done}")
        done.says("tally_versions_local", "line", cluster.hosts()[1])


def test_replicas_get_replicated_tables(options, stack):
    cluster = stack.enter_context(servers.Cluster(shards=1, replicas=2))
    stack.enter_context(Box(options, store_with(cluster, "twice")))
    for index in (0, 1):
        engines = cluster.ask("SELECT DISTINCT engine FROM system.tables WHERE "
                              "database = 'twice' AND engine LIKE '%MergeTree'", index).split()
        must(engines and all(one.startswith("Replicated") for one in engines), f"{engines}")


def test_all_tables_are_on_every_server(options, stack):
    cluster = stack.enter_context(servers.Cluster(shards=2))
    stack.enter_context(Box(options, store_with(cluster, "both")))
    names = cluster.each("SELECT name FROM system.tables WHERE database = 'both' ORDER BY name")
    must(names[0] == names[1] and "tally_versions\n" in names[0], f"{names}")
    must("tally_window" in names[0] and "tally_cells" in names[0], f"no views: {names[0]}")


if __name__ == "__main__":
    main(sys.modules[__name__])
