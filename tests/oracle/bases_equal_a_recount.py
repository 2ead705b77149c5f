#!/usr/bin/env python3
"""start, end, overlap, inside: any window of any length equals a naive recount of its incidents.

With and without --by, --where (given once, twice, with lists and negated) and --compare.
"""

import datetime
import random
import sys

import histories
import oracle
from model import BASES, Feed, Model, belongs, grouped, rollup, total

DIMS = ["place", "kind", "actor"]
MEASURES = ["killed", "hurt"]
QUESTIONS = 60
PLAIN = ["Kabul", "Paktika", "Kunduz", "Kandahar", ""]


def make(rng):
    feed = Feed("a", DIMS, MEASURES, revision=rng.random() < 0.5)
    ids = [f"i{i}" for i in range(rng.choice([3, 30, 120]))]
    files = []
    for i in range(rng.choice([1, 3])):
        chosen = rng.sample(ids, rng.randrange(1, len(ids) + 1))
        revision = str(rng.randrange(9)) if feed.revision else None
        records = [histories.row(rng, feed, id_, revision, PLAIN) for id_ in chosen]
        files.append(histories.file(rng, feed, i, records))
    return oracle.Case(feed.section() + "\n" + rollup("all", ["a"], DIMS, MEASURES), files, [feed])


def random_condition(rng):
    """One --where, and what it lets through."""
    dim = rng.choice(DIMS[:2])
    texts = {"place": PLAIN[:4], "kind": ["air strike", "IED", "ied", "no such kind"]}[dim]
    listed = rng.sample(texts, rng.choice([1, 2]))
    negated = rng.random() < 0.3
    return f"{dim}={'!' if negated else ''}{','.join(listed)}", dim, set(listed), negated


def passes(incident, conditions):
    """Conditions on one dimension mean either; on two dimensions both."""
    for dim, given in grouped(conditions, lambda condition: condition[1]).items():
        text = incident.dims[DIMS.index(dim)]
        if not any((text in listed) != negated for _, _, listed, negated in given):
            return False
    return True


def random_conditions(rng):
    conditions = [random_condition(rng) for _ in range(rng.choice([0, 0, 1, 1, 2]))]
    mixed = {condition[1] for condition in conditions if condition[3]}
    # What a negated condition beside another one of the same dimension means is left open.
    return [one for i, one in enumerate(conditions)
            if one[1] not in mixed or all(one[1] != other[1] for other in conditions[:i])]


def year_before(day):
    return day.replace(year=day.year - 1, day=28 if (day.month, day.day) == (2, 29) else day.day)


def figures_of(incidents, last, days, basis):
    first = last - datetime.timedelta(days=days - 1)
    return total([one for one in incidents if belongs(one, first, last, basis)], MEASURES)


def window(incidents, last, days, basis, compared):
    want = {"window_start": (last - datetime.timedelta(days=days - 1)).isoformat(),
            "window_end": last.isoformat(), "days": str(days), "basis": basis,
            **figures_of(incidents, last, days, basis)}
    if compared:
        for prefix, end in (("previous_", last - datetime.timedelta(days=days)),
                            ("year_ago_", year_before(last))):
            want.update({prefix + name: value
                         for name, value in figures_of(incidents, end, days, basis).items()})
    return want


def empty(row):
    return all(value in ("", "0") for name, value in row.items()
               if name not in ("window_start", "window_end", "days", "basis"))


def ask_window(tallyd, rng, incidents):
    days = rng.choice([1, 2, 7, 50, 50, 365, rng.randrange(1, 400)])
    last = rng.choice([histories.day(rng, 200), datetime.date(2020, 2, 29),
                       datetime.date(2020, 12, 30)])
    basis = rng.choice(BASES)
    by = rng.sample(DIMS, rng.choice([0, 0, 1, 2, 3]))
    conditions = random_conditions(rng)
    compared = rng.random() < 0.3
    words = ["window", "all", "--days", str(days), "--end", last.isoformat(), "--basis", basis]
    words += ["--by", ",".join(by)] if by else []
    words += [word for text, *_ in conditions for word in ("--where", text)]
    words += ["--compare", "previous,year-ago"] if compared else []
    got = {}
    for row in tallyd.ask(*words):
        got[tuple(row.pop(dim) for dim in by)] = row
    kept = [one for one in incidents if passes(one, conditions)]
    groups = grouped(kept, lambda one: tuple(one.dims[DIMS.index(dim)] for dim in by))
    if not by:
        groups.setdefault((), [])  # one row, also when nothing matches
    want = {key: window(some, last, days, basis, compared) for key, some in groups.items()}
    if by:  # whether a group without incidents in the window has a row is left open
        got = {key: row for key, row in got.items() if not empty(row)}
        want = {key: row for key, row in want.items() if not empty(row)}
    oracle.same(want, got, f"tally {' '.join(words)}")


def ask_series(tallyd, rng, incidents):
    days = rng.choice([1, 7, 50])
    basis = rng.choice(BASES)
    ends = [datetime.date(2020, 1, 20) + datetime.timedelta(days=i) for i in range(60)]
    words = ["series", "all", "--days", str(days), "--from", ends[0].isoformat(), "--to",
             ends[-1].isoformat(), "--basis", basis]
    got = {row["window_end"]: row for row in tallyd.ask(*words)}
    want = {last.isoformat(): window(incidents, last, days, basis, False) for last in ends}
    oracle.same(want, got, f"tally {' '.join(words)}")


def check(case, folder):
    model = Model(case.feeds)
    for file in case.files:
        model.take(file)
    rng = random.Random(case.seed)
    with oracle.Tallyd(folder, case.config) as tallyd:
        tallyd.take(case.files)
        for _ in range(QUESTIONS):
            ask_window(tallyd, rng, model.incidents())
        for _ in range(4):
            ask_series(tallyd, rng, model.incidents())


if __name__ == "__main__":
    sys.exit(oracle.main(__doc__, 15, make, check))
