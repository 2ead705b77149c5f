#!/usr/bin/env python3
"""The tables and the views of a ledger on servers: as people with SQL see them.

Skipped where clickhouse-server is not installed (script/bootstrap --cluster installs it).
"""

import json
import random
import sys

import servers
from clustered import Box, main, must
from current import Current
from sandbox import run

CONFIG = """\
scan_interval = 100ms
settle = 0s

[feed attacks]
files = attacks-*
id = id
revision = revision
date = date
end_date = until
dim.province = province
dim.target = target
measure.killed = killed
measure.wounded = wounded

[feed census]
files = census-*
mode = snapshot
id = id
date = date
dim.province = place
measure.killed = dead

[rollup all]
feeds = attacks
by = province target
measures = killed wounded
windows = 7d 50d 36600d

[rollup by feed]
feeds = attacks census
by = feed province
measures = killed wounded
windows = 50d

[rollup it's]
feeds = attacks
where.province = Kab*, "Ku?nd*z"
where.target = ! *forces, police
by = province
measures = killed
windows = 365d

[rollup total]
feeds = census attacks
where.feed = att*
by =
measures = wounded
windows = 1d 50d

[rollup no wounded]
feeds = census
by =
measures = killed
windows = 1d 50d
"""
LONGER = CONFIG.replace("dim.target = target", "dim.weapon = weapon\ndim.target = target")
PROVINCES = ["Kabul", "Kunduz", "Ku?nd*z", "Herat", "", "Na'ngarhar\\ \"x\"", "Zābul"]
TARGETS = ["police", "forces", "air forces", "civilians", "", "aid"]


def quoted(text):
    return '"' + text.replace('"', '""') + '"'


def any_day(rng):
    year = rng.choice(["2020", "2020", "2020", "2019", "1969", "1900", "0044", "-0043"])
    return f"{year}-{rng.randrange(1, 13):02}-{rng.randrange(1, 29):02}"


def number(rng):
    return rng.choice(["", "0", "1", "17", "9223372036854775807"])


def attacks(rng, count):
    lines = ["id,revision,date,until,province,target,killed,wounded,weapon\n"]
    for _ in range(count):
        day = any_day(rng)
        until = day[:-2] + "28" if rng.random() < 0.3 else day
        lines.append(f"A-{rng.randrange(2 * count)},{rng.randrange(6)},{day},{until},"
                     f"{quoted(rng.choice(PROVINCES))},{quoted(rng.choice(TARGETS))},"
                     f"{number(rng)},{number(rng)},gun\n")
    return "".join(lines)


def census(rng, count):
    ids = rng.sample(range(2 * count), count)
    return "id,date,place,dead\n" + "".join(
        f"C-{id_},{any_day(rng)},{quoted(rng.choice(PROVINCES))},{number(rng)}\n" for id_ in ids)


def view(cluster, sql, index=0):
    """Rows as dicts; None is NULL, numbers are texts as in CSV."""
    text = cluster.ask(sql + " FORMAT JSONCompact", index, output_format_json_quote_64bit_integers=1)
    # Decimals stand there as numbers: they are read as they are written.
    told = json.loads(text, parse_int=str, parse_float=str)
    names = [column["name"] for column in told["meta"]]
    return [dict(zip(names, row)) for row in told["data"]]


def as_csv(rows, names):
    """What `tally` prints, sorted: an empty field for NULL."""
    return sorted(tuple("" if row[name] is None else str(row[name]) for name in names)
                  for row in rows)


def told(box, *words):
    rows = box.table(*words)
    return rows, list(rows[0]) if rows else []


ROLLUPS = {"all": (["province", "target"], [7, 50, 36600]),
           "by feed": (["feed", "province"], [50]),
           "it's": (["province"], [365]),
           "total": (["feed"], [1, 50]),
           "no wounded": ([], [1, 50])}
DIMS = {"province", "target", "feed"}
MEASURES = {"all": ["killed", "wounded"], "by feed": ["killed", "wounded"], "it's": ["killed"],
            "total": ["wounded"], "no wounded": ["killed"]}


def same(name, got, want):
    must(got == want, f"{name}: the view says\n{got[:20]}\ntally says\n{want[:20]}")


def check_windows(box, cluster, index=0):
    rows = view(cluster, "SELECT * FROM v.tally_window", index)
    for name, (dims, windows) in ROLLUPS.items():
        own = [row for row in rows if row["rollup"] == name]
        must({int(row["days"]) for row in own} <= set(windows), f"{name}: {own}")
        must(all(row[dim] is None for row in own for dim in DIMS - set(dims)),
             f"{name} has no such dimension")
        for days in windows:
            words = ["window", name, "--days", str(days)]
            want, names = told(box, *words, *(["--by", ",".join(dims)] if dims else []))
            of_days = [row for row in own if int(row["days"]) == days]
            must(names or not of_days, f"{name} {days}: nothing, says tally: {of_days}")
            same(f"{name} {days}", as_csv(of_days, names), as_csv(want, names))


def check_cells(box, cluster):
    for name, (dims, _) in ROLLUPS.items():
        figures = ["incidents"] + [column for measure in MEASURES[name]
                                   for column in (measure, f"{measure}_reported")]
        sql = f"SELECT * FROM v.tally_cells WHERE rollup = {sql_text(name)}"
        rows = view(cluster, sql)
        spans = [dict(row, first_day=row["day"]) for row in rows if row["day"] != row["last_day"]]
        want, _ = told(box, "dump", name, "--spans")
        names = [*dims, "first_day", "last_day", *figures]
        same(f"spans of {name}", as_csv(spans, names), as_csv(want, names))
        rows = view(cluster, "SELECT " + ", ".join(
            [*dims, "day", "sum(incidents) AS n"] +
            [f"sum({measure}) AS sum_{measure}" for measure in MEASURES[name]]) +
            f" FROM v.tally_cells WHERE rollup = {sql_text(name)} GROUP BY "
            + ", ".join([*dims, "day"]))
        want, _ = told(box, "dump", name)
        names = [*dims, "day", "n"] + [f"sum_{measure}" for measure in MEASURES[name]]
        want = [dict(row, n=row["incidents"], **{f"sum_{measure}": row[measure]
                                                 for measure in MEASURES[name]}) for row in want]
        same(f"cells of {name}", as_csv(rows, names), as_csv(want, names))


def sql_text(text):
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def fill(box, cluster, seed, config=LONGER):
    rng = random.Random(seed)
    check_windows_empty(cluster)
    for i in range(3):
        box.drop(f"attacks-{i}.csv", attacks(rng, 150))
        box.drop(f"census-{i}.csv", census(rng, 60))
        box.once().ended(0)
    # The columns of a feed may change: what was kept has other places.
    box.config.write_text(box.config.read_text().replace(CONFIG, config))
    box.drop("attacks-9.csv", attacks(rng, 150))
    box.once().ended(0)


def check_windows_empty(cluster):
    must(view(cluster, "SELECT * FROM v.tally_window") == [], "a window of nothing")
    must(view(cluster, "SELECT * FROM v.tally_cells") == [], "cells of nothing")


def test_views_say_what_tally_says(options, stack):
    cluster = stack.enter_context(servers.Cluster(shards=2))
    box = stack.enter_context(Box(options, cluster.store("v"), CONFIG))
    fill(box, cluster, 1)
    check_windows(box, cluster)
    check_windows(box, cluster, 1)
    check_cells(box, cluster)


def test_views_say_it_on_a_current_server(options, stack):
    cluster = stack.enter_context(Current())
    box = stack.enter_context(Box(options, cluster.store("v"), CONFIG))
    fill(box, cluster, 2)
    check_windows(box, cluster)
    check_cells(box, cluster)
    box.check().ended(0)


# Names that the views have of their own, within.
OWN_DIMS = ["_d1", "aa", "_rollup", "_z", "_first", "_end", "_m", "_days"]
OWN_MEASURES = ["_sn", "_sr0", "_sm1", "_n"]
OWN_NAMES = f"""\
settle = 0s
[feed own]
id = id
date = date
{"".join(f"dim.{name} = {name}{chr(10)}" for name in OWN_DIMS)}
{"".join(f"measure.{name} = {name}{chr(10)}" for name in OWN_MEASURES)}
[rollup own]
feeds = own
by = {" ".join(OWN_DIMS)}
measures = {" ".join(OWN_MEASURES)}
windows = 50d
"""


def test_names_that_are_the_views_own(options, stack):
    cluster = stack.enter_context(servers.Cluster(shards=1))
    box = stack.enter_context(Box(options, cluster.store("v"), OWN_NAMES))
    rng = random.Random(4)
    names = OWN_DIMS + OWN_MEASURES
    box.drop("own.csv", f"id,date,{','.join(names)}\n" + "".join(
        f"{i},2020-10-{1 + i % 9:02},{','.join(rng.choice('abc') for _ in OWN_DIMS)},"
        f"{','.join(rng.choice(['', '1', '7']) for _ in OWN_MEASURES)}\n" for i in range(40)))
    box.once().ended(0)
    columns = [name + "_" if name[0] == "_" else name for name in names]
    told_rows = box.table("window", "own", "--days", "50", "--by", ",".join(OWN_DIMS))
    want = [{**{name + "_" * (name[0] == "_"): row[name] for name in names},
             "incidents": row["incidents"]} for row in told_rows]
    rows = view(cluster, "SELECT * FROM v.tally_window WHERE rollup = 'own'")
    same("windows", as_csv(rows, [*columns, "incidents"]), as_csv(want, [*columns, "incidents"]))
    rows = view(cluster, "SELECT " + ", ".join(
        [f"`{name}`" for name in columns[:len(OWN_DIMS)]] + ["sum(incidents) AS incidents"] +
        [f"sum(`{name}`) AS `s{name}`" for name in columns[len(OWN_DIMS):]]) +
        " FROM v.tally_cells WHERE rollup = 'own' GROUP BY " +
        ", ".join(f"`{name}`" for name in columns[:len(OWN_DIMS)]))
    rows = [{name: row.get("s" + name, row.get(name)) for name in [*columns, "incidents"]}
            for row in rows]
    same("cells", as_csv(rows, [*columns, "incidents"]), as_csv(want, [*columns, "incidents"]))


def test_only_what_counts_is_shown(options, stack):
    cluster = stack.enter_context(servers.Cluster(shards=2))
    box = stack.enter_context(Box(options, cluster.store("v"), CONFIG))
    fill(box, cluster, 3)
    before = cluster.ask("SELECT * FROM v.tally_cells ORDER BY rollup, province, target, day")
    # A batch on its way: its versions are there, its row is not.
    columns = ("feed, id_hash, id, rank, buried, toUInt64(9999999999999999), record, op, revision, "
               "shape, first_day, last_day, reported, dims, arrayMap(x -> x + 1, measures), line")
    for index in (0, 1):
        cluster.ask("INSERT INTO v.tally_versions_local SELECT feed, id_hash, id, concat(rank, 'z'), "
                    + columns.split("rank, ", 1)[1] + " FROM v.tally_versions_local", index)
    same("what is not committed", cluster.ask(
        "SELECT * FROM v.tally_cells ORDER BY rollup, province, target, day"), before)
    # What was said before a FORGET of its feed is gone, and no other feed's.
    cluster.ask("INSERT INTO v.tally_batches_local (batch, number, time_ms, mode, of_feed) "
                "SELECT max(batch) + 1, toUInt32(max(number) + 1), max(time_ms), 4, 'attacks' "
                "FROM v.tally_batches_local")
    left = view(cluster, "SELECT DISTINCT rollup, feed FROM v.tally_cells")
    must(sorted((row["rollup"], row["feed"] or "") for row in left)
         == [("by feed", "census"), ("no wounded", "")], f"{left}")


def init(box):
    return run([box.programs / "tallyd", "-c", box.config, "--init-store"])


def test_views_follow_the_rollups(options, stack):
    cluster = stack.enter_context(servers.Cluster(shards=2))
    box = stack.enter_context(Box(options, cluster.store("v"), CONFIG))
    box.check().ended(0)
    made = cluster.each("SELECT made FROM v.tally_views")
    init(box).ended(0)
    must(cluster.each("SELECT made FROM v.tally_views") == made, "nothing had changed")
    text = box.config.read_text()
    box.config.write_text(text.replace("where.target = ! *forces", "where.target = ! *force?"))
    done = box.check()
    must(done.status != 0, "views of other rollups will do")
    done.says("views", "--init-store")
    init(box).ended(0)
    box.check().ended(0)
    must(made[0] not in cluster.each("SELECT made FROM v.tally_views"), "the views stayed")
    # Half of them, as after a kill.
    cluster.ask("DROP TABLE v.tally_cells", 1)
    must(box.check().status != 0, "a view is missing")
    init(box).ended(0)
    box.check().ended(0)
    rollups = cluster.ask("SELECT name FROM v.tally_rollups_local WHERE time_us IN (SELECT "
                          "max(time_us) FROM v.tally_rollups_local) ORDER BY name").split("\n")
    must([name.replace("\\'", "'") for name in rollups] == sorted(ROLLUPS) + [""], f"{rollups}")


DIFFERENT = [
    ("tally_batches_local", "outcome", "ALTER TABLE v.tally_batches_local MODIFY COLUMN outcome Int8"),
    ("tally_feeds", "zone", "ALTER TABLE v.tally_feeds ADD COLUMN zone String"),
    ("tally_feeds_local", "zone",
     "ALTER TABLE v.tally_feeds_local ADD COLUMN zone String AFTER feed"),
    ("tally_versions_local", "missing", "DROP TABLE v.tally_versions_local"),
    ("tally_versions_local", "sorting key",
     "CREATE TABLE v.tally_versions_local AS v.tally_versions ENGINE = ReplacingMergeTree() "
     "PARTITION BY bitShiftRight(id_hash, 61) ORDER BY (feed, id_hash, id, rank, batch, record)"),
    ("tally_versions_local", "partition",
     "CREATE TABLE v.tally_versions_local AS v.tally_versions ENGINE = ReplacingMergeTree() "
     "ORDER BY (feed, id_hash, id, rank, buried, batch, record)"),
    ("tally_versions_local", "engine",
     "CREATE TABLE v.tally_versions_local AS v.tally_versions ENGINE = MergeTree() "
     "PARTITION BY bitShiftRight(id_hash, 61) "
     "ORDER BY (feed, id_hash, id, rank, buried, batch, record)"),
    ("tally_seen", "engine", "CREATE TABLE v.tally_seen AS v.tally_seen_local ENGINE = Distributed("
     "tally_test, v, tally_seen_local, rand())"),
]


def test_each_difference_is_named(options, stack):
    cluster = stack.enter_context(servers.Cluster(shards=2))
    box = stack.enter_context(Box(options, cluster.store("v"), CONFIG))
    for table, what, statement in DIFFERENT:
        if statement.startswith("CREATE"):
            cluster.ask(f"DROP TABLE IF EXISTS v.{table}", 1)
        cluster.ask(statement, 1)
        done = box.check()
        must(done.status != 0, f"{statement} makes no difference")
        done.says(table, what, cluster.hosts()[1])
        must(cluster.hosts()[0] not in done.out + done.err, f"the first server is as it should be: {done}")
        cluster.ask("DROP DATABASE v", 1)
        init(box).ended(0)
        box.check().ended(0)


def test_replicas_need_zookeeper(options, stack):
    cluster = stack.enter_context(servers.Cluster(shards=1, replicas=2))
    config = cluster.server[1].home / "config.xml"
    cluster.server[1].process.kill()
    text = config.read_text()
    config.write_text(text.replace("<replica>r2</replica></macros>", "</macros>"))
    cluster.start(1)
    box = stack.enter_context(Box(options, cluster.store("v"), CONFIG, make=False))
    done = init(box)
    must(done.status != 0, "copies that nobody keeps equal will do")
    done.says("macros", cluster.hosts()[1])


def test_a_replica_that_is_behind_is_not_believed(options, stack):
    cluster = stack.enter_context(servers.Cluster(shards=1, replicas=2))
    section = cluster.store("v", timeout="2s")
    box = stack.enter_context(Box(options, section, CONFIG))
    box.drop("census-1.csv", census(random.Random(5), 20))
    box.once().ended(0)
    # The second hears of what the first takes in and cannot fetch it. It is asked first.
    tables = [table for table in cluster.ask("SELECT name FROM system.tables WHERE database = 'v' "
                                             "AND engine LIKE 'Replicated%'").split()]
    for table in tables:
        cluster.ask(f"SYSTEM STOP FETCHES v.{table}", 1)
    box.drop("census-2.csv", census(random.Random(6), 30))
    box.once().ended(0)
    want = box.table("files")
    must(len(want) == 2, f"{want}")
    first, second = cluster.hosts()
    box.config.write_text(box.config.read_text().replace(f"{first} {second}", f"{second} {first}"))
    must(box.table("files") == want, "the replica that is behind was believed")
    for table in tables:
        cluster.ask(f"SYSTEM START FETCHES v.{table}", 1)


def test_filters_are_exact_in_sql(options, stack):
    cluster = stack.enter_context(servers.Cluster(shards=1))
    program = options.bin.parent / "tests" / "cluster_filters"
    for name, hosts, rounds in (("18.16", cluster.hosts(), 300), ("current", None, 60)):
        if hosts is None:
            try:
                hosts = stack.enter_context(Current()).hosts()
            except servers.Absent:
                continue
        done = run([program, hosts[0], servers.NAME, "7", str(rounds)])
        must(done.status == 0, f"{name}: {done}")


if __name__ == "__main__":
    main(sys.modules[__name__])
