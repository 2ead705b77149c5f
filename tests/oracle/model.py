"""The meaning of a history, told naively: what each file does, and what any window then holds.

Written from the words of the design ("Meaning, exactly"), with dicts and loops only. Where those
words leave room, a comment that begins with "Assumed" says what was taken.
"""

import dataclasses
import datetime
import decimal
import re

UNKNOWN = ("", "NA", "-99")
BASES = ("start", "end", "overlap", "inside")
COUNTS = ("added", "revised", "withdrawn", "unchanged", "older", "conflicts")


@dataclasses.dataclass
class Feed:
    name: str
    dims: list
    measures: list
    mode: str = "upsert"
    revision: bool = False
    scope: str = ""
    deletes: str = ""
    victims: bool = False

    def columns(self):
        columns = ["id"] + ["rev"] * self.revision
        if self.mode == "deletions":
            return columns
        return columns + ["first", "last"] + self.dims + self.measures

    def section(self):
        lines = [f"[feed {self.name}]", f"files = {self.name}-*", f"mode = {self.mode}", "id = id"]
        if self.revision:
            lines.append("revision = rev")
        if self.scope:
            lines.append(f"scope = {self.scope}")
        if self.victims:
            lines.append("rows = per-victim")
        if self.mode == "deletions":
            return "\n".join(lines + [f"deletes = {self.deletes}"]) + "\n"
        lines += ["date = first", "end_date = last", "unknown = NA -99"]
        lines += [f"dim.{name} = {name}" for name in self.dims]
        lines += [f"measure.{name} = {name}" for name in self.measures]
        return "\n".join(lines) + "\n"


def rollup(name, feeds, dims, measures, extra=""):
    return (f"[rollup {name}]\nfeeds = {' '.join(feeds)}\nby = {' '.join(dims)}\n"
            f"measures = {' '.join(measures)}\nwindows = 7d 50d\n{extra}")


@dataclasses.dataclass(frozen=True)
class Incident:
    feed: str
    id: str
    first: datetime.date
    last: datetime.date
    dims: tuple
    measures: tuple  # int, or None where unknown
    revision: object  # str, or None


class BadRow(Exception):
    """A row that is set aside."""


def whole(text):
    match = re.fullmatch(r"(-?[0-9]+)(\.0*)?", text)
    if not match:
        raise BadRow(f"no integer: {text}")
    return int(match[1])


def day(text):
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        raise BadRow(f"no date: {text}")
    try:
        return datetime.date.fromisoformat(text)
    except ValueError as error:
        raise BadRow(str(error)) from error


def measure(text):
    if text in UNKNOWN:
        return None
    value = whole(text)
    if not 0 <= value < 1 << 63:
        raise BadRow("negative, or more than 64 bits")
    return value


def read_id(text):
    if text in UNKNOWN:
        raise BadRow("no id")
    return re.sub(r"\.0+$", "", text) if re.fullmatch(r"[0-9]+\.0+", text) else text


def readable_id(text):
    try:
        return read_id(text)
    except BadRow:
        return None


def compare(a, b):
    """< 0, 0, > 0 as revision a is older than b, the same, newer."""
    a, b = rank(a), rank(b)
    return (a > b) - (a < b)


def rank(revision):
    """None is older than any, numbers are older than other texts."""
    if revision is None:
        return (0, 0)
    if re.fullmatch(r"[+-]?[0-9]+(\.[0-9]*)?", revision):
        return (1, decimal.Decimal(revision))
    return (2, revision.encode())


@dataclasses.dataclass
class Kept:
    """What is known of one id: its newest version, and what was said against it."""
    incident: object = None
    live: bool = False
    deleted: bool = False  # by a deletion that carries a revision ...
    deleted_to: object = None  # ... which holds for this revision and older ones


class Model:
    def __init__(self, feeds):
        self.feeds = {feed.name: feed for feed in feeds}
        self.kept = {feed.name: {} for feed in feeds}  # feed -> id -> Kept
        self.in_force = {}  # (feed, scope value) -> newest revision of its snapshot
        self.accepted = {}  # content -> batch

    def incidents(self, feed=None):
        return [kept.incident for name, ids in self.kept.items() if feed in (None, name)
                for kept in ids.values() if kept.live]

    # ---- One file

    def take(self, file):
        """Applies a file; returns what `tally files` should say of it."""
        feed = self.feeds[file.feed]
        said = dict.fromkeys(COUNTS, 0)
        said.update(rows=len(file.records), rejected=0, outcome="accepted")
        if file.content() in self.accepted:
            return {"outcome": "duplicate"}
        good, bad_ids = self.read(feed, file, said)
        # Assumed: a file of bad rows only, and an empty snapshot, say nothing and are refused.
        if None in bad_ids and feed.mode == "snapshot":
            return {"outcome": "rejected"}
        if not good and (bad_ids or feed.mode == "snapshot"):
            return {"outcome": "rejected"}
        if feed.mode == "snapshot":
            if not self.take_snapshot(feed, good, bad_ids, said):
                return {"outcome": "superseded"}
        else:
            one = self.take_deletion if feed.mode == "deletions" else self.take_row
            for row in good:
                said[one(feed, row, said)] += 1
        said["batch"] = len(self.accepted) + 1
        self.accepted[file.content()] = said["batch"]
        return said

    def read(self, feed, file, said):
        """The incidents of the good rows, and the ids of the bad ones (None: unreadable)."""
        good, bad_ids = [], []
        for record in file.records:
            cells = dict(zip(feed.columns(), (cell.strip(" ") for cell in record)))
            try:
                if len(record) != len(feed.columns()):
                    raise BadRow("fields")
                good.append(self.read_row(feed, cells))
            except BadRow:
                said["rejected"] += 1
                bad_ids.append(readable_id(cells["id"]))
        return (add_up(good) if feed.victims else good), bad_ids

    def read_row(self, feed, cells):
        if any("\udc80" <= c <= "\udcff" for cell in cells.values() for c in cell):
            raise BadRow("no UTF-8")
        revision = cells.get("rev") or None
        if feed.mode == "deletions":
            return Incident(feed.deletes, read_id(cells["id"]), None, None, (), (), revision)
        first = day(cells["first"])
        last = day(cells["last"]) if cells["last"] not in UNKNOWN else first
        if last < first:
            raise BadRow("ends before it begins")
        return Incident(feed.name, read_id(cells["id"]), first, last,
                        tuple("" if cells[d] in UNKNOWN else cells[d] for d in feed.dims),
                        tuple(measure(cells[m]) for m in feed.measures), revision)

    def put(self, kept, incident, said):
        """The newest word on an id; says which count it belongs to."""
        old, was_live = kept.incident, kept.live
        kept.incident, kept.live = incident, True
        kept.deleted, kept.deleted_to = False, None
        # Assumed: an id that comes back is added again.
        if not was_live:
            return "added"
        if old == incident:
            return "unchanged"
        if incident.revision is not None and compare(incident.revision, old.revision) == 0:
            said["conflicts"] += 1
        return "revised"

    def take_row(self, feed, row, said):
        kept = self.kept[feed.name].setdefault(row.id, Kept())
        if kept.deleted and compare(row.revision, kept.deleted_to) <= 0:
            return "older"
        if kept.incident and compare(row.revision, kept.incident.revision) < 0:
            return "older"
        return self.put(kept, row, said)

    def take_deletion(self, feed, row, said):
        del said
        kept = self.kept[feed.deletes].setdefault(row.id, Kept())
        if row.revision is not None:
            if kept.incident and compare(row.revision, kept.incident.revision) < 0:
                return "older"
            if kept.deleted and compare(row.revision, kept.deleted_to) < 0:
                return "older"
            kept.deleted, kept.deleted_to = True, row.revision
        was_live, kept.live = kept.live, False
        return "withdrawn" if was_live else "unchanged"

    def take_snapshot(self, feed, rows, bad_ids, said):
        """False: superseded."""
        newest = None
        for row in rows:
            newest = row.revision if compare(row.revision, newest) > 0 else newest
        # Assumed: only rows that are not rejected say which scope values occur; the newest
        # revision is that of the whole file; a row whose scope has a newer word counts as older,
        # or as unchanged where it says what is kept.
        occur = {self.scope(feed, row) for row in rows}
        holds = {value for value in occur if (feed.name, value) not in self.in_force
                 or compare(newest, self.in_force[feed.name, value]) >= 0}
        if not holds:
            return False
        for value in holds:
            self.in_force[feed.name, value] = newest
        ids = self.kept[feed.name]
        # Assumed: rows of one snapshot that share an id are compared with each other.
        said_before = {}
        for row in rows:
            if self.scope(feed, row) not in holds:
                kept = ids.get(row.id, Kept())
                said["unchanged" if kept.live and kept.incident == row else "older"] += 1
                continue
            if row.id in said_before and compare(row.revision, said_before[row.id]) < 0:
                said["older"] += 1
                continue
            said_before[row.id] = row.revision
            kept = ids.setdefault(row.id, Kept())
            deleted = kept.deleted and compare(row.revision, kept.deleted_to) <= 0
            said["older" if deleted else self.put(kept, row, said)] += 1
        mentioned = {row.id for row in rows} | set(bad_ids)
        for id_, kept in ids.items():
            if kept.live and id_ not in mentioned and self.scope(feed, kept.incident) in holds:
                kept.live = False
                said["withdrawn"] += 1
        return True

    @staticmethod
    def scope(feed, row):
        return row.dims[feed.dims.index(feed.scope)] if feed.scope else None


def add_up(rows):
    """Victim rows: those that share an id are one incident whose measures add up."""
    # Their revision is the greatest. Assumed: all else is as in the first of them.
    incidents = {}
    for row in rows:
        if row.id in incidents:
            sums = tuple(b if a is None else a if b is None else a + b
                         for a, b in zip(incidents[row.id].measures, row.measures))
            first = incidents[row.id]
            newer = compare(row.revision, first.revision) > 0
            row = dataclasses.replace(first, measures=sums,
                                      revision=row.revision if newer else first.revision)
        incidents[row.id] = row
    return list(incidents.values())


# ---- Figures

def belongs(incident, first, last, basis):
    if basis == "start":
        return first <= incident.first <= last
    if basis == "end":
        return first <= incident.last <= last
    if basis == "overlap":
        return incident.first <= last and first <= incident.last
    return first <= incident.first and incident.last <= last


def total(incidents, measures):
    """The columns of `tally` over these incidents, as texts."""
    figures = {"incidents": str(len(incidents))}
    for i, name in enumerate(measures):
        given = [one.measures[i] for one in incidents if one.measures[i] is not None]
        figures[name] = str(sum(given)) if given else ""
        figures[name + "_reported"] = str(len(given))
    return figures


def grouped(incidents, key):
    groups = {}
    for incident in incidents:
        groups.setdefault(key(incident), []).append(incident)
    return groups


def cells(incidents, measures):
    """(dimension values, first day) -> figures: what `tally dump` should print."""
    groups = grouped(incidents, lambda one: one.dims + (one.first.isoformat(),))
    return {key: total(group, measures) for key, group in groups.items()}
