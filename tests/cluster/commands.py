"""What `tally` says of a ledger, it says of the same files on a cluster: word for word.

Skipped where clickhouse-server is not installed (script/bootstrap --cluster installs it).
"""

import csv
import io
import random
import re
import shutil
import sys

from clustered import LONG, Sandbox, main, must, refused, run, soon
from servers import Cluster, Refused

CONFIG = """control = off

[feed attacks]
files = attacks-*.csv
id = id
revision = rev
date = first_day
end_date = last_day
dim.province = province
dim.target = target
measure.killed = killed
measure.killed.low = killed_low
measure.killed.high = killed_high
measure.wounded = wounded

[feed census]
files = census-*.csv
mode = snapshot
scope = province
id = id
date = day
dim.province = province
measure.killed = killed

[feed attacks-taken-back]
files = gone-*.csv
mode = deletions
deletes = attacks
id = id
revision = rev

[feed claims]
preset = claims
files = claims-*.csv

[rollup harm]
feeds = attacks census
by = feed province
measures = killed killed.low killed.high wounded
windows = 7d 50d

[rollup civilians]
feeds = attacks
where.target = !police
by = province target
measures = killed wounded
windows = 50d

[rollup all]
feeds = census
measures = killed
"""
CLAIMS = '''id,speaker,stated_on,first_day,last_day,days,end,measure,filter,qualifier,value,part_of,responses
C1,Ministry,2020-10-25,,,50,2020-10-24,killed+wounded,,at least,40,,"Opposition: ""far fewer"""
C2,Ministry,2020-10-25,,,50,2020-10-24,killed,,Exactly,26,C1,
C3,Governor,2020-10-26,2020-09-05,2020-10-24,,,killed,province=Herat,about,{killed},,
'''
PROVINCES = ["Kabul", "Herat", "", "Bal\"kh, 'north' \\ south", "Ghōr"]
TARGETS = ["civilians", "police", "army", ""]
FILES = 9
LITTLE = 100000000  # bytes that a question may take
AS_OF = [0, 1, FILES // 2, FILES]
WINDOW = ["--days", "30", "--end", "2020-10-05"]


def csv_text(header, rows):
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([header, *rows])
    return out.getvalue()


def day(chance):
    return f"2020-{chance.randint(8, 10):02}-{chance.randint(1, 28):02}"


def number(chance, below):
    return chance.choice(["", str(chance.randrange(below))]) if chance.random() < 0.3 else \
        str(chance.randrange(below))


def attack(chance):
    days = sorted([day(chance), day(chance)]) if chance.random() < 0.2 else [day(chance)] * 2
    if chance.random() < 0.04:
        days[0] = "2020-13-01"  # set aside
    return [chance.randrange(60), chance.randrange(1, 6), *days, chance.choice(PROVINCES),
            chance.choice(TARGETS), number(chance, 9), number(chance, 5), number(chance, 20),
            number(chance, 40)]


def make_file(chance, index):
    kind = chance.choice(["attacks", "attacks", "attacks", "census", "gone"])
    name = f"{kind}-{index}.csv"
    if kind == "attacks":
        return name, csv_text(
            ["id", "rev", "first_day", "last_day", "province", "target", "killed", "killed_low",
             "killed_high", "wounded"], [attack(chance) for _ in range(40)])
    if kind == "gone":
        return name, csv_text(["id", "rev"], [
            [chance.randrange(60), chance.choice(["", chance.randrange(1, 7)])] for _ in range(6)])
    return name, csv_text(["id", "day", "province", "killed"], [
        [f"c{chance.randrange(30)}", day(chance), chance.choice(PROVINCES[:3]), number(chance, 9)]
        for _ in range(12)])


class Pair:
    """One tallyd with its ledger here, one with it on the cluster, told the same."""

    def __init__(self, options, stack, cluster):
        store = cluster.store("tally", retry="2s")
        self.here = stack.enter_context(Sandbox(options.bin, CONFIG))
        self.there = stack.enter_context(Sandbox(options.bin, CONFIG + store))
        run([options.bin / "tallyd", "-c", self.there.config, "--init-store"]).ended(0)
        self.commands = 0

    def drop(self, name, content):
        for one in (self.here, self.there):
            one.drop(name, content)
            one.once().ended(0, 1)

    def ask(self, one, *words):
        return run([one.programs / "tally", "-c", one.config, *words, "--format", "csv"])

    def both(self, *words):
        """The same words, status and warnings; the answer."""
        here = self.ask(self.here, *words)
        there = self.ask(self.there, *words)
        folder = {here: self.here.folder, there: self.there.folder}
        said = [(one.status, one.out, one.err.replace(str(folder[one]), "")) for one in folder]
        must(said[0] == said[1], f"the ledger:\n{here}\nthe cluster:\n{there}")
        self.commands += 1
        return here


def filled(options, stack, cluster, seed):
    chance = random.Random(seed)
    pair = Pair(options, stack, cluster)
    for index in range(1, FILES):
        pair.drop(*make_file(chance, index))
    pair.drop("claims-1.csv", CLAIMS.format(killed=chance.randrange(60)))
    pair.drop("attacks-again.csv", "id,rev\n1,1\n")  # refused whole
    return pair


def without(text, column):
    rows = list(csv.DictReader(io.StringIO(text)))
    return [{name: value for name, value in row.items() if name != column} for row in rows]


def test_commands_say_of_a_cluster_what_they_say_of_a_ledger(options, stack):
    with Cluster(shards=2) as cluster:
        for seed in range(4 if LONG else 1):
            pair = filled(options, stack, cluster, seed)
            compare_figures(pair)
            compare_incidents(pair)
            compare_files(pair)
            cluster.each("DROP DATABASE tally")
            must(pair.commands > 80, f"only {pair.commands} commands were compared")


def compare_figures(pair):
    for batch in AS_OF:
        for rollup in ("harm", "civilians", "all"):
            pair.both("window", rollup, *WINDOW, "--as-of", str(batch), "--basis", "overlap")
            pair.both("dump", rollup, "--as-of", str(batch))
        pair.both("window", "harm", *WINDOW, "--by", "feed,province", "--compare",
                  "previous,year-ago", "--as-of", str(batch))
        pair.both("series", "civilians", "--days", "9", "--from", "2020-09-01", "--to",
                  "2020-09-20", "--where", "target=civilians,army", "--as-of", str(batch))
        pair.both("export", "civilians", "--as-of", str(batch), "--to",
                  str(pair.here.folder / "out.csv"), "--force")
    for rollup in ("harm", "civilians", "all"):
        pair.both("window", rollup, *WINDOW)
    pair.both("window", "harm", *WINDOW, "--as-of", "999")
    pair.both("window", "harm", *WINDOW, "--as-of", "2020-01-01")


def compare_incidents(pair):
    for basis in ("start", "end", "overlap", "inside"):
        pair.both("explain", "harm", *WINDOW, "--basis", basis)
        found = pair.both("explain", "civilians", *WINDOW, "--basis", basis, "--where",
                          "province=Kabul,Herat", "--where", "target=!army")
    must(found.out.count("\n") > 1, "no incident was explained")
    for batch in AS_OF[1:]:
        pair.both("explain", "civilians", "--days", "20", "--as-of", str(batch))
        pair.both("claims", "harm", "--as-of", str(batch))
        for before in range(batch):
            pair.both("diff", "civilians", "--from", str(before), "--to", str(batch),
                      "--incidents")
            pair.both("diff", "harm", "--from", str(before), "--to", str(batch), "--by",
                      "province")
    pair.both("diff", "harm", "--from", str(FILES), "--to", "2", "--incidents", *WINDOW,
              "--where", "province=Kabul")
    pair.both("claims", "civilians", "--where", "speaker=Ministry")


def compare_files(pair):
    rejected = pair.both("files", "--rejected")
    must("2020-13-01" in rejected.out, "no row was set aside")
    listed = [without(pair.ask(one, "files").ended(0).out, "time")
              for one in (pair.here, pair.there)]
    for here, there in zip(*listed):
        must(here == there, f"files:\n{here}\n{there}")
    must([*map(len, listed)] == [FILES + 1] * 2, f"{[*map(len, listed)]} files")


def test_figures_are_asked_for_without_a_file(options, stack):
    with Cluster(shards=2) as cluster:
        pair = filled(options, stack, cluster, 7)
        words = ["harm", *WINDOW, "--by", "province", "--compare", "previous"]
        want = pair.both("window", *words).ended(0)
        for one, engine in ((pair.here, "ledger"), (pair.there, "clickhouse")):
            got = pair.ask(one, "window", *words, "--engine", engine).ended(0)
            must(got.out == want.out, f"{got}\nis not\n{want}")
            got = pair.ask(one, "window", str(one.state / "rollup" / "harm.rollup"), *words[1:],
                           "--engine", engine).ended(0)
            must(got.out == want.out, f"{got}\nis not\n{want}")
        series = ["series", "civilians", "--days", "7", "--from", "2020-09-01", "--to",
                  "2020-09-09"]
        must(pair.ask(pair.there, *series, "--engine", "clickhouse").out ==
             pair.both(*series).ended(0).out, "a series differs")
        pair.ask(pair.here, "window", *words, "--engine", "clickhouse").ended(78).says("hosts")
        pair.ask(pair.here, "window", *words, "--engine", "abacus").ended(64)
        # The definition is in the cluster: nothing else is needed there.
        shutil.rmtree(pair.there.state / "rollup")
        got = pair.ask(pair.there, "window", *words, "--engine", "clickhouse").ended(0)
        must(got.out == want.out, f"without rollup files:\n{got}\nis not\n{want}")
        pair.ask(pair.there, "window", "nobody", *WINDOW, "--engine", "clickhouse").ended(66, 74)


def test_verify_compares_the_files_with_the_shards(options, stack):
    with Cluster(shards=2) as cluster:
        pair = filled(options, stack, cluster, 11)
        pair.ask(pair.there, "verify").ended(0).says("cluster harm.rollup", "ok") \
            .says("batches", f"{FILES} batches").says("shard 2", "ok")
        copy = ("INSERT INTO tally.tally_versions_local SELECT feed, id_hash, {id}, rank, buried, "
                "{batch}, record, op, revision, shape, first_day, last_day, reported, dims, "
                "measures, line FROM tally.tally_versions_local WHERE feed = 'attacks' AND op = 0 "
                "ORDER BY batch DESC LIMIT 1")
        # What was never committed is told and counts nowhere.
        cluster.ask(copy.format(id="'new'", batch="7"))
        pair.ask(pair.there, "verify").ended(0).says("1 of them of batches that were not") \
            .says("cluster harm.rollup", "ok")
        # An incident that no file said is found.
        cluster.ask(copy.format(id="'new'", batch="batch"))
        pair.ask(pair.there, "verify").ended(65).says("cluster harm.rollup", "DAMAGED", "digest")
        columns = "batch, number, writer, time_ms, begin, end"
        cluster.ask(f"INSERT INTO tally.tally_batches_local ({columns}) SELECT batch, number, "
                    "writer, time_ms, begin, substring(end, 1, 9) FROM tally.tally_batches_local "
                    "ORDER BY batch LIMIT 1")
        pair.ask(pair.there, "verify").ended(65).says("list of batches")


def test_no_shard_is_left_out(options, stack):
    with Cluster(shards=2) as cluster:
        pair = filled(options, stack, cluster, 3)
        cluster.kill(1)
        for words in (("window", "harm", *WINDOW, "--as-of", "3"), ("verify",),
                      ("explain", "harm", *WINDOW),
                      ("window", "harm", *WINDOW, "--engine", "clickhouse")):
            got = pair.ask(pair.there, *words).ended(69)
            must(got.out == "", f"figures of one shard:\n{got}")
        pair.both("window", "harm", *WINDOW).ended(0)  # the file is here


def test_a_server_with_little_memory_is_asked_for_less(options, stack):
    with Cluster(shards=1) as cluster:
        pair = filled(options, stack, cluster, 5)
        cluster.ask("INSERT INTO tally.tally_versions_local SELECT feed, cityHash64(id, number), "
                    "concat(id, '-', toString(number)), rank, buried, batch, record, op, revision, "
                    "shape, first_day, last_day, reported, dims, measures, line FROM "
                    "tally.tally_versions_local ARRAY JOIN range(8000) AS number "
                    "WHERE feed = 'attacks'")
        words = ("window", "harm", *WINDOW, "--by", "province", "--engine", "clickhouse")
        want = pair.ask(pair.there, *words).ended(0).out
        users = cluster.server[0].home / "users.xml"
        text = users.read_text()
        users.write_text(re.sub(r"(?<=<max_memory_usage>)\d+", str(LITTLE), text))
        must(users.read_text() != text, "no limit to change")
        soon(lambda: str(LITTLE) in cluster.ask(
            "SELECT value FROM system.settings WHERE name = 'max_memory_usage'"), "a low limit")
        refused(Refused, lambda: cluster.ask(
            "SELECT sum(length(id)), sum(length(dims)), sum(length(measures)) FROM (SELECT * FROM "
            "tally.tally_versions_local ORDER BY id_hash, feed, id, rank, batch, record)"))
        got = pair.ask(pair.there, *words).ended(0)
        must(got.out == want, f"with little memory:\n{got}\nis not\n{want}")
        pair.ask(pair.there, "explain", "civilians", "--days", "9").ended(0)


def test_what_has_no_segments_is_not_salvaged(options, stack):
    with Cluster(shards=1) as cluster:
        pair = Pair(options, stack, cluster)
        pair.ask(pair.there, "salvage", str(pair.there.folder / "new")).ended(78) \
            .says("no segments")


if __name__ == "__main__":
    main(sys.modules[__name__])
