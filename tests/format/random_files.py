#!/usr/bin/env python3
"""Random and awkward rollups, made by dropping feeds: `tally` and the second reader agree on all.

    tests/format/random_files.py [--seed N] [TEST...]

Each test is a shape of rollup at whose edges a packed file goes wrong first. What a test is about
is asserted of the file that came out, so that none can pass by making something else.
"""

import csv
import io
import random
import sys

import readers
from readers import must, reader

BLOCK_EDGES = (1, 2, 63, 64, 65, 127, 128, 129, 255, 256, 257, 1000)
BIG = (1 << 63) - 1
DAYS_2020 = reader.day_number("2020-01-01")
PLACES = ("", "Kabul", "Kandahar", "Ñimroz", "喀布尔", "a,b", 'say "no"', " padded ", "x" * 300)


class Feed:
    """Rows of one feed, and its section of a configuration. Names of dimensions and measures are
    those of the columns."""

    def __init__(self, name, dims, measures):
        self.name, self.dims, self.measures = name, dims, measures
        self.rows = []

    def add(self, first, texts=(), measures=(), last=None):
        days = [reader.day_text(first), reader.day_text(first if last is None else last)]
        self.rows.append([f"{self.name}{len(self.rows)}", *days, *texts, *measures])

    def section(self):
        lines = [f"[feed {self.name}]", f"files = {self.name}*.csv", "id = id", "date = first",
                 "end_date = last"]
        lines += [f"dim.{name} = {name}" for name in self.dims]
        lines += [f"measure.{name} = {name}" for name in self.measures]
        return "\n".join(lines) + "\n"

    def content(self):
        out = io.StringIO()
        rows = csv.writer(out, lineterminator="\n")
        rows.writerow(["id", "first", "last", *self.dims, *self.measures])
        rows.writerows(self.rows)
        return out.getvalue()


def made(options, stack, feeds, by=None, measures=None, windows="7d 50d", more=""):
    """Drops the feeds, compares all that the two readers say, returns what the second one read and
    where it stands."""
    by = feeds[0].dims if by is None else by
    measures = feeds[0].measures if measures is None else measures
    rollup = (f"[rollup all]\nfeeds = {' '.join(feed.name for feed in feeds)}\n"
              f"by = {' '.join(by)}\nmeasures = {' '.join(measures)}\nwindows = {windows}\n{more}")
    config = "\n".join([*(feed.section() for feed in feeds), rollup])
    box = stack.enter_context(readers.Sandbox(options.bin, config))
    for feed in feeds:
        if feed.rows:
            box.drop(f"{feed.name}.csv", feed.content())
    box.once().ended(0)
    path = box.state / "rollup" / "all.rollup"
    rollup = readers.compare(options, path, options.seed)
    rollup.path = path
    return rollup


def rng_of(options, test):
    return random.Random(f"{options.seed} {test}")


def amount(rng):
    return rng.choice(["", 0, 0, 1, 2, 3, rng.randrange(100), rng.randrange(10 ** 6)])


def sizes(part):
    return [len(entries) for entries in part]


def test_groups_around_every_edge_of_blocks(options, stack):
    rng = rng_of(options, "edges")
    feed = Feed("f", ["place", "kind"], ["killed", "wounded"])
    for number, size in enumerate(BLOCK_EDGES):
        for day in rng.sample(range(6 * size), size):  # one cell each, in gaps
            feed.add(DAYS_2020 + day, [f"g{number:02}", "k"], [amount(rng), amount(rng)])
    rollup = made(options, stack, [feed])
    must(sizes(rollup.cells) == list(BLOCK_EDGES), f"{sizes(rollup.cells)}")


def test_spans_around_every_edge_of_blocks(options, stack):
    rng = rng_of(options, "spans")
    feed = Feed("f", ["place"], ["killed"])
    for number, size in enumerate(BLOCK_EDGES):
        for i in range(size):
            first = DAYS_2020 + rng.randrange(3 * size)
            feed.add(first, [f"g{2 * number:02}"], [amount(rng)], first + 1 + i)
        feed.add(DAYS_2020, [f"g{2 * number + 1:02}"], [1])  # a group without spans between
    rollup = made(options, stack, [feed])
    must(sizes(rollup.spans) == [n for size in BLOCK_EDGES for n in (size, 0)],
         f"{sizes(rollup.spans)}")


def test_spans_of_one_first_day_on_both_sides_of_an_edge(options, stack):
    rng = rng_of(options, "one day")
    feed = Feed("f", ["place"], ["killed"])
    for day, count in ((40, 100), (39, 200), (38, 1), (0, 90)):
        for length in range(1, count + 1):
            first = DAYS_2020 + day
            feed.add(first, ["all"], [amount(rng)], first + length)
    feed.add(DAYS_2020 - 20000, ["all"], [7], DAYS_2020 + 20000)
    spans, = made(options, stack, [feed]).spans
    must(spans[127].first == spans[128].first, "the edge lies elsewhere")


def test_many_groups_at_random(options, stack):
    rng = rng_of(options, "many")
    feeds = [Feed("north", ["place", "kind"], ["killed", "wounded"]),
             Feed("south", ["place", "kind"], ["killed"])]
    for _ in range(3000):
        feed = rng.choice(feeds)
        first = DAYS_2020 + int(rng.expovariate(1 / 200))
        last = first + rng.choice([0, 0, 0, 0, 1, 5, 30, 400])
        feed.add(first, [f"p{int(rng.expovariate(1 / 40))}", rng.choice("abc")],
                 [amount(rng) for _ in feed.measures], last)
    rollup = made(options, stack, feeds, ["place", "kind", "feed"])
    must(len(rollup.groups) > 200 and any(rollup.spans), "not many groups")


def test_sums_beyond_64_bits(options, stack):
    rng = rng_of(options, "wide")
    feed = Feed("f", ["place"], ["killed", "wounded"])
    for i in range(400):
        for _ in range(rng.choice([1, 1, 4])):
            feed.add(DAYS_2020 + i, ["a" if i % 3 else "b"],
                     [rng.choice([BIG, BIG - i, 1 << 55, (1 << 56) - 1, 1 << 56, 0]), amount(rng)])
    rollup = made(options, stack, [feed])
    must(max(e.measures[0][0] for e in rollup.cells[0]) > BIG, "no wide sum")
    must(rollup.headline[1][2][0][1][0][0] == -1 - BIG, "the headline holds the sum")


def test_measures_unknown_and_absent(options, stack):
    rng = rng_of(options, "unknown")
    feeds = [Feed("with", ["place"], ["killed", "wounded"]), Feed("without", ["place"], ["killed"])]
    for i in range(300):
        feed = feeds[i % 2]
        known = "" if i % 7 else rng.randrange(9)
        feed.add(DAYS_2020 + rng.randrange(100), [rng.choice("ab")],
                 [known, ""][:len(feed.measures)])
    made(options, stack, feeds, ["place", "feed"])
    made(options, stack, feeds[1:], ["place"], ["killed"])


def test_many_measures(options, stack):
    rng = rng_of(options, "measures")
    feed = Feed("f", ["place"], [f"m{i:02}" for i in range(32)])
    for _ in range(300):
        feed.add(DAYS_2020 + rng.randrange(200), [rng.choice("ab")],
                 [amount(rng) for _ in feed.measures])
    made(options, stack, [feed])


def test_no_measures_and_no_dimensions(options, stack):
    rng = rng_of(options, "none")
    feed = Feed("f", ["place"], ["killed"])
    for _ in range(500):
        first = DAYS_2020 + rng.randrange(300)
        feed.add(first, [rng.choice("abc")], [amount(rng)], first + rng.choice([0, 0, 3]))
    made(options, stack, [feed], measures=[])
    made(options, stack, [feed], by=[])
    must(made(options, stack, [feed], by=[], measures=[]).groups == [()], "one group")


def test_rollups_without_incidents(options, stack):
    nothing = Feed("f", ["place"], ["killed"])
    must(made(options, stack, [nothing]).groups == [], "no group")
    must(made(options, stack, [nothing], by=[]).groups == [], "no group")
    some = Feed("f", ["place"], ["killed"])
    some.add(DAYS_2020, ["a"], [1])
    rollup = made(options, stack, [some], more="where.place = b\n")
    must(rollup.groups == [] and rollup.headline[0] == DAYS_2020, "covered, but without a group")


def test_first_and_last_years(options, stack):
    feed = Feed("f", ["place"], ["killed"])
    first, last = reader.day_number("0001-01-01"), reader.DAY_MAX
    for days in ((first, first), (first, first + 1), (first, last), (last - 1, last),
                 (last, last), (0, 0), (first + 1, last)):
        feed.add(days[0], ["all"], [days[0] % 5], days[1])
    rollup = made(options, stack, [feed], windows="1d 36600d")
    must((rollup.first_day, rollup.last_day) == (first, last), "other years")


def test_awkward_texts(options, stack):
    rng = rng_of(options, "texts")
    feed = Feed("f", ["place", "kind"], ["killed"])
    for i in range(200):
        feed.add(DAYS_2020 + i, [rng.choice(PLACES), rng.choice(PLACES)], [1])
    rollup = made(options, stack, [feed])
    must({texts[0] for texts in rollup.groups} >= {"", "Ñimroz", "喀布尔", "x" * 300}, "other texts")


def test_more_texts_than_a_bucket_and_than_10000(options, stack):
    rng = rng_of(options, "buckets")
    for count in (15, 16, 17, 33, 10001):
        feed = Feed("f", ["place"], ["killed"])
        for i in range(count):
            feed.add(DAYS_2020 + rng.randrange(9), [f"{'Ñandu' * (i % 4)}-{i * 7919}"], [i % 3])
        must(len(made(options, stack, [feed], windows="7d").groups) == count, "other groups")


def test_everything_at_random(options, stack):
    for seed in range(options.rounds):
        rng = rng_of(options, f"round {seed}")
        dims = ["place", "kind", "who"][:rng.randrange(4)]
        feed = Feed("f", dims, ["killed", "wounded", "hurt"][:rng.randrange(4)])
        scale = rng.choice([1, 3, 300])
        for _ in range(rng.choice([1, 20, 400])):
            first = DAYS_2020 + int(rng.expovariate(1 / rng.choice([1, 30, 3000])))
            last = first + (int(rng.expovariate(1 / 20)) if rng.random() < 0.3 else 0)
            feed.add(first, [f"{name}{int(rng.expovariate(1 / scale))}" for name in dims],
                     [rng.choice([amount(rng), amount(rng), BIG]) for _ in feed.measures], last)
        made(options, stack, [feed])


def arguments():
    def add(parser):
        parser.add_argument("--seed", type=int, default=1, help="of all that is random (1)")
        parser.add_argument("--rounds", type=int, default=6, help="of the last test (6)")
    return readers.arguments(__doc__, add)


if __name__ == "__main__":
    readers.run_tests(sys.modules[__name__], arguments(), "random files")
