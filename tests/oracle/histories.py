"""Random feeds, incidents and files, with everything that real ones have come with."""

import datetime

import model
from oracle import File

DAY0 = datetime.date(2019, 12, 1)
PLACES = ["", "Kabul", "Paktika", "Nangarhar, Achin", 'the "old" town', "Kunduz\nImam Sahib",
          "Žemaitija 東", "New  York", "a;b|c\td", "'quoted'"]
KINDS = ["", "IED", "air strike", "IED, roadside", "ied"]
ACTORS = ["", "A", "B, \"C\"", "D"]
VALUES = {"place": PLACES, "kind": KINDS, "actor": ACTORS}
IDS = [str(i) for i in range(100, 112)] + ["A-1", "A-2", "x,y", 'say "id"', "ü 7"]
BAD_DATES = ["2020-02-30", "soon", "", "2020-13-01", "NA"]
BAD_NUMBERS = ["12.5", "many", "-3", "1e3"]


def day(rng, span=120):
    return DAY0 + datetime.timedelta(days=rng.randrange(span))


def number(rng):
    if rng.random() < 0.2:
        return rng.choice(model.UNKNOWN)
    value = rng.choice([0, 0, 1, 1, 2, 3, 5, 17, 250, 1_000_003])
    return rng.choice(["{}", "{}", "{}", "{}.0", " {}"]).format(value)


def row(rng, feed, id_, revision=None, places=None):
    """A good record of an incident."""
    first = day(rng)
    last = first + datetime.timedelta(days=rng.choice([0, 1, 2, 3, 9, 40]))
    cells = {"id": id_, "rev": revision, "first": first.isoformat(),
             "last": rng.choice(["", last.isoformat(), last.isoformat()])}
    for dim in feed.dims:
        texts = places if places and dim == "place" else VALUES[dim]
        text = rng.choice(texts)
        cells[dim] = text if rng.random() < 0.95 else f" {text} "
    for name in feed.measures:
        cells[name] = number(rng)
    return [cells[name] for name in feed.columns()]


def spoil(rng, feed, record, with_id=False):
    """The same record with something in it that rejects it."""
    record = list(record)
    columns = feed.columns()
    choice = rng.randrange(5 if with_id else 4)
    if choice == 0:
        record[columns.index("first")] = rng.choice(BAD_DATES)
    elif choice == 1 and feed.measures:
        record[columns.index(rng.choice(feed.measures))] = rng.choice(BAD_NUMBERS)
    elif choice == 2:
        record[columns.index("last")] = "1999-12-31"
    elif choice == 3 and feed.dims:
        record[columns.index(rng.choice(feed.dims))] = "caf\udce9"
    else:
        record[0 if with_id else columns.index("first")] = ""
    return record


def file(rng, feed, number_, records):
    """Named so that files are taken in the order of their numbers."""
    return File(f"{feed.name}-{number_:03}.csv", feed.name, feed.columns(), records,
                rng.randrange(1 << 30))
