"""Exact totals of incidents over windows of days, from the rollup files of tallyd.

    import tally

    with tally.open("/var/lib/tallyd/rollup/civilian-harm.rollup") as rollup:
        table = rollup.window(days=50, end="2020-10-24", by=["province"])
        for row in table:
            print(row["province"], row["killed"], "reported by", row["killed_reported"])
        frame = table.to_pandas()

A rollup adds incidents up by group (one combination of values of its dimensions) and day. A window
of N days that ends on day D is D-N+1 .. D, both ends included. The figures are those that the
command `tally` prints.

Units: days are `datetime.date`, or texts such as "-2150-01-01" for years before 1, which a date
cannot hold; counts and sums are whole numbers, exact. None is unknown or absent, never 0: a measure
that no incident reported is None and its `_reported` is 0; one that no feed behind the row has is
None in both.

Errors: `Error`, with `code`, `place` and `message`.

Threads: an open rollup never changes, and any number of threads may read it. tallyd replaces the
file as a whole: what is open keeps its content, open it again to see the new one.
"""

from __future__ import annotations

import ctypes
import datetime
import operator
import os
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Optional, Union, overload

from ._library import (
    BASES, CELLS, DAY_BYTES, DAY_MIN, DIGEST_BYTES, KNOWN, MEASURES_MAX, SPANS,
    SUM_FORMAT, ABSENT, CEntry, CError, Code, CSum, Error, Handle, invalid, library, read_text,
    texts)

if TYPE_CHECKING:
    import pandas

__all__ = ["Code", "Day", "Error", "Feed", "Rollup", "Row", "Table", "Value", "Where", "open"]

Day = Union[datetime.date, str]
Value = Union[str, int, datetime.date, None]
Row = dict[str, Value]
Where = Union[Mapping[str, Union[str, Iterable[str]]], Iterable[str], None]

_EPOCH = datetime.date(1970, 1, 1).toordinal()
_TEXT, _DAY, _NUMBER = "text", "day", "number"


def _to_day(number: int) -> Day:
    if number + _EPOCH >= 1:
        return datetime.date.fromordinal(number + _EPOCH)
    buffer = ctypes.create_string_buffer(DAY_BYTES)
    return str(library.day_format(number, buffer).decode())


def _to_number(day: Day) -> int:
    if isinstance(day, datetime.datetime):
        day = day.date()
    text = day.isoformat() if isinstance(day, datetime.date) else day
    number = ctypes.c_int32()
    if not isinstance(text, str) or not library.day_parse(text.encode(), number):
        raise invalid(f"{text!r} is not a day such as '2020-10-24'")
    return number.value


def _names(value: Union[str, Iterable[str]]) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def _conditions(where: Where) -> list[str]:
    """What libtally takes: "DIM=LIST" each."""
    if where is None:
        return []
    if not isinstance(where, Mapping):
        return _names(where)
    conditions = []
    for dim, values in where.items():
        given = _names(values)
        if not given:
            raise invalid(f"no value of {dim!r} is asked for")
        texts([dim, *given])  # refuses NULs
        conditions += [read_text(library.condition, dim.encode(),
                                 value.encode(errors="surrogateescape")) for value in given]
    return conditions


class Feed(NamedTuple):
    """A feed behind a rollup."""

    name: str
    measures: tuple[str, ...]  #: which of the rollup's measures the feed has at all
    first_day: Optional[Day]  #: of all days that it ever reported on; None: none yet
    last_day: Optional[Day]  #: through which it covers


class _Column(NamedTuple):
    name: str
    kind: str
    values: list[Any]


class Table(Sequence[Row]):
    """Rows with named columns.

    Shape: `len(table)` rows, each a dict with the keys `table.columns`, in their order. `table[3]`
    is a row, `table["killed"]` a list of one column's values, as long as the table.
    """

    def __init__(self, columns: list[_Column], notes: Sequence[str] = ()) -> None:
        self._columns = columns
        self.columns = tuple(column.name for column in columns)  #: their names
        #: What has to be said of the figures: feeds that do not cover the window.
        self.notes = tuple(notes)

    def __len__(self) -> int:
        return len(self._columns[-1].values)

    def __iter__(self) -> Iterator[Row]:
        for values in zip(*(column.values for column in self._columns)):
            yield dict(zip(self.columns, values))

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> list[Row]: ...
    @overload
    def __getitem__(self, index: str) -> list[Value]: ...

    def __getitem__(self, index):  # type: ignore[no-untyped-def]
        if isinstance(index, str):
            return list(self._columns[self._position(index)].values)
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return {column.name: column.values[index] for column in self._columns}

    def _position(self, name: str) -> int:
        if name not in self.columns:
            raise KeyError(f"no column {name!r}; there are {', '.join(self.columns)}")
        return self.columns.index(name)

    def __repr__(self) -> str:
        return f"<tally.Table of {len(self)} rows: {', '.join(self.columns)}>"

    def to_pandas(self) -> pandas.DataFrame:
        """A DataFrame of the same shape; needs pandas.

        Numbers are nullable Int64, unknown and absent being <NA>; days are datetime64[ns], or as
        they are in rows where that type does not reach (before 1677, after 2262); texts are str.
        """
        import pandas  # not needed otherwise

        def series(column: _Column) -> Any:
            if column.kind == _NUMBER:
                return pandas.array(column.values, dtype="Int64")
            if column.kind == _DAY:
                try:
                    return pandas.DatetimeIndex(pandas.to_datetime(column.values))
                except (ValueError, OverflowError):
                    pass
            return pandas.Series(column.values, dtype=object)

        return pandas.DataFrame({column.name: series(column) for column in self._columns})


class _Period(NamedTuple):
    prefix: str  # of its columns
    word: str
    first: int
    last: int


def _period(days: int, last: int, prefix: str = "", word: str = "") -> _Period:
    first = last - days + 1
    if first < DAY_MIN:
        raise invalid(f"{days} days reach back before the calendar")
    return _Period(prefix, word, first, last)


class _Figures:
    """Room for what one call of libtally gives, and the columns that it is gathered in."""

    def __init__(self, measures: Sequence[str], prefix: str = "") -> None:
        self.incidents = ctypes.c_uint64()
        self.sums = (CSum * MEASURES_MAX)()
        self._format = struct.Struct("=" + SUM_FORMAT * len(measures))
        names = [prefix + "incidents"]
        for measure in measures:
            names += [prefix + measure, f"{prefix}{measure}_reported"]
        self.columns = [_Column(name, _NUMBER, []) for name in names]

    def add(self, incidents: int, sums: Any = None, row: int = 0) -> None:
        """`sums`: of many rows, where they are not those of the last call."""
        values = self._format.unpack_from(self.sums if sums is None else sums,
                                          row * self._format.size)
        self.columns[0].values.append(incidents)
        for i in range(0, len(values), 3):
            total, reported, state = values[i:i + 3]
            position = 1 + i // 3 * 2
            self.columns[position].values.append(total if state == KNOWN else None)
            self.columns[position + 1].values.append(None if state == ABSENT else reported)


class Rollup:
    """An open rollup file. Made by `tally.open`; closed by `close`, `with` or when forgotten."""

    def __init__(self, path: Union[str, os.PathLike[str]]) -> None:
        name = os.fsencode(path)
        handle = Handle("", None, name)
        rollup = handle.pointer
        self._handle: Optional[Handle] = handle
        self.path = os.fspath(path)
        self.name = library.name(rollup).decode(errors="replace")
        self.generation: int = library.generation(rollup)  #: how many batches it reflects
        digest = ctypes.create_string_buffer(DIGEST_BYTES)
        #: 32 hexadecimal digits; the same incidents give the same digest
        self.digest: str = library.digest(rollup, digest).decode()
        self.dims = tuple(library.dim(rollup, i).decode(errors="replace")
                          for i in range(library.dims(rollup)))
        self.measures = tuple(library.measure(rollup, i).decode(errors="replace")
                              for i in range(library.measures(rollup)))
        #: lengths in days that are configured; any other can be asked for as well
        self.windows = tuple(library.window_days(rollup, i)
                             for i in range(library.windows(rollup)))
        self.feeds = tuple(self._feed(rollup, i) for i in range(library.feeds(rollup)))
        self.groups: int = library.groups(rollup)  #: how many there are
        any_day = library.any_day(rollup)
        #: first and last day of all its incidents; None: it has none
        self.first_day = _to_day(library.first_day(rollup)) if any_day else None
        self.last_day = _to_day(library.last_day(rollup)) if any_day else None

    def _feed(self, rollup: Any, feed: int) -> Feed:
        coverage = library.coverage(rollup, feed)
        measures = tuple(measure for i, measure in enumerate(self.measures)
                         if library.feed_has(rollup, feed, i))
        return Feed(library.feed(rollup, feed).decode(errors="replace"), measures,
                    _to_day(coverage.first_day) if coverage.any else None,
                    _to_day(coverage.last_day) if coverage.any else None)

    # ---- opening and closing

    @property
    def _open_handle(self) -> Handle:
        """To be kept while its pointer is used: another thread may call `close`."""
        handle = self._handle
        if handle is None:
            raise ValueError("the rollup is closed")
        return handle

    def close(self) -> None:
        """Other threads that still read finish first. Once more does nothing."""
        self._handle = None

    def __enter__(self) -> Rollup:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<tally.Rollup {self.name}, generation {self.generation}, {self.groups} groups>"

    def verify(self) -> None:
        """Recomputes every checksum, the order of everything and the digest. Raises `Error`."""
        handle, err = self._open_handle, CError()
        if not library.verify(handle.pointer, err):
            raise err.exception()

    # ---- days

    @property
    def end_day(self) -> Day:
        """The day that windows end on when nobody says which: the last day with data, but not
        beyond what the feeds cover. Raises `Error` (NOT_FOUND) while there is no incident."""
        return _to_day(self._end(None))

    def _end(self, end: Optional[Day]) -> int:
        if end is not None:
            return _to_number(end)
        handle, day, err = self._open_handle, ctypes.c_int32(), CError()
        if not library.end_day(handle.pointer, day, err):
            raise err.exception()
        return day.value

    # ---- windows

    def window(self, days: int, end: Optional[Day] = None, by: Union[str, Iterable[str]] = (),
               where: Where = None, basis: str = "start",
               compare: Union[str, Iterable[str]] = ()) -> Table:
        """The totals of a window of `days` days to `end`, one row for each combination of `by`.

        end: a date or "2020-10-24"; None: `end_day`.
        by: names of dimensions; none: one row, the total over all that matches.
        where: {"province": "Kabul"} or {"province": ["Kabul", "Herat"]} for exactly these texts
            ("": not known); or texts as for `tally --where`, such as ["target=!police"].
        basis: which windows an incident of several days belongs to: that of its first day "start",
            its last day "end", any of its days "overlap", all of them "inside".
        compare: "previous" (the window right before) and "year-ago" (that of the same day and
            length a year earlier) add columns.

        Columns: those in `by`, window_start, window_end, days, basis, incidents, and for each
        measure M the sum M and M_reported, how many of the incidents gave it; then the same
        prefixed by previous_ and year_ago_. Rows are sorted by their texts; one without an incident
        in any of the windows is left out, unless it is the total.
        """
        dims, number, days = _names(by), _basis(basis), _days(days)
        periods = self._periods(days, self._end(end), _names(compare))
        selection = self._select(dims, where)
        keys = [_Column(dim, _TEXT, []) for dim in dims]
        figures = [_Figures(self.measures, period.prefix) for period in periods]
        each = [self._windows(selection, number, period) for period in periods]
        for row in range(library.selection_rows(selection.pointer)):
            if dims and not any(incidents[row] for incidents, _ in each):
                continue
            for room, (incidents, sums) in zip(figures, each):
                room.add(incidents[row], sums, row)
            _add_texts(keys, selection, row)
        rows = len(figures[0].columns[0].values)
        first, last = _to_day(periods[0].first), _to_day(periods[0].last)
        columns = keys + _period_columns([first] * rows, [last] * rows, days, basis)
        for room in figures:
            columns += room.columns
        return Table(columns, self._notes(selection, periods))

    def _periods(self, days: int, last: int, compare: list[str]) -> list[_Period]:
        for name in compare:
            if name not in ("previous", "year-ago"):
                raise invalid(f"compare: {name!r} is not 'previous' or 'year-ago'")
        periods = [_period(days, last)]
        if "previous" in compare:
            periods.append(_period(days, periods[0].first - 1, "previous_", "previous"))
        if "year-ago" in compare:
            if last < DAY_MIN + 366:
                raise invalid("a year ago is before the calendar")
            periods.append(_period(days, library.day_year_ago(last), "year_ago_", "year-ago"))
        return periods

    def _select(self, dims: list[str], where: Where) -> Handle:
        conditions = _conditions(where)
        handle = self._open_handle
        return Handle("selection", handle, handle.pointer, texts(dims), len(dims),
                      texts(conditions), len(conditions))

    def _windows(self, selection: Handle, basis: int, period: _Period) -> tuple[Any, Any]:
        """The windows of all rows: incidents [rows], sums [rows][measures]."""
        rows = library.selection_rows(selection.pointer)
        incidents = (ctypes.c_uint64 * rows)()
        sums = (CSum * (rows * len(self.measures)))()
        err = CError()
        if not library.selection_windows(selection.pointer, basis, period.first, period.last,
                                         incidents, sums, err):
            raise err.exception()
        return incidents, sums

    def _notes(self, selection: Handle, periods: list[_Period]) -> list[str]:
        notes = []
        for i, feed in enumerate(self.feeds):
            if not library.selection_has_feed(selection.pointer, i):
                continue
            if feed.last_day is None:
                notes.append(f"feed {feed.name} has no data yet")
            elif _to_number(feed.last_day) < periods[0].last:
                notes.append(f"feed {feed.name} covers through {feed.last_day}; the window ends "
                             f"{_to_day(periods[0].last)}")
        for period in periods[1:]:
            for i, feed in enumerate(self.feeds):
                if (library.selection_has_feed(selection.pointer, i) and feed.first_day is not None
                        and _to_number(feed.first_day) > period.first):
                    notes.append(f"feed {feed.name} begins on {feed.first_day}; the {period.word} "
                                 f"window starts {_to_day(period.first)}")
        return notes

    def series(self, days: int, start: Day, end: Optional[Day] = None,
               by: Union[str, Iterable[str]] = (), where: Where = None,
               basis: str = "start") -> Table:
        """The windows of `days` days that end on each day from `start` to `end`, both included.

        The arguments and columns are those of `window`; a row for each combination of `by` and each
        day. Combinations without an incident in any of these windows are left out.
        """
        dims, number, days = _names(by), _basis(basis), _days(days)
        first, last = _to_number(start), self._end(end)
        _period(days, first)
        if first > last:
            raise invalid("the series ends before it starts")
        selection = self._select(dims, where)
        keys = [_Column(dim, _TEXT, []) for dim in dims]
        ends: list[int] = []
        figures = _Figures(self.measures)
        for row in range(library.selection_rows(selection.pointer)):
            series = Handle("series", selection, selection.pointer, row, number, days, first, last)
            if dims and not any(self._day_of(series, day, None) for day in range(first, last + 1)):
                continue
            for day in range(first, last + 1):
                figures.add(self._day_of(series, day, figures))
                ends.append(day)
            _add_texts(keys, selection, row, last - first + 1)
        columns = keys + _period_columns([_to_day(day - days + 1) for day in ends],
                                         [_to_day(day) for day in ends], days, basis)
        return Table(columns + figures.columns, self._notes(selection, [_period(days, last)]))

    @staticmethod
    def _day_of(series: Handle, day: int, room: Optional[_Figures]) -> int:
        err = CError()
        incidents = room.incidents if room else ctypes.c_uint64()
        if not library.series_window(series.pointer, day, incidents, room.sums if room else None,
                                     err):
            raise err.exception()
        return incidents.value

    # ---- what the rollup holds

    def cells(self, where: Where = None) -> Table:
        """The day cells: what the incidents that began on one day add up to, by all dimensions.

        Columns: the dimensions, day, incidents, and for each measure M and M_reported. Sorted by
        texts, then days; a day without incidents has no cell.
        """
        return self._entries(CELLS, ["day"], where)

    def spans(self, where: Where = None) -> Table:
        """Of the incidents in `cells` those that last more than a day, by first and last day.

        Columns: the dimensions, first_day, last_day, and the figures of `cells`.
        """
        return self._entries(SPANS, ["first_day", "last_day"], where)

    def _entries(self, kind: int, days: list[str], where: Where) -> Table:
        handle = self._open_handle
        selection = self._select(list(self.dims), where)
        keys = [_Column(dim, _TEXT, []) for dim in self.dims]
        dates = [_Column(name, _DAY, []) for name in days]
        figures = _Figures(self.measures)
        count = ctypes.c_size_t()
        for row in range(library.selection_rows(selection.pointer)):
            group = library.selection_groups(selection.pointer, row, count)
            if count.value:
                entries = Handle("entries", handle, handle.pointer, group[0], kind)
                _add_texts(keys, selection, row, _add_entries(entries, dates, figures))
        return Table(keys + dates + figures.columns)


def _basis(basis: str) -> int:
    if basis not in BASES:
        raise invalid(f"basis {basis!r} is not one of {', '.join(BASES)}")
    return BASES.index(basis)


def _days(days: Any) -> int:
    try:
        number = operator.index(days)  # also of numpy
    except TypeError:
        number = 0
    if not 1 <= number < 1 << 31:
        raise invalid(f"days is {days!r}, not a number of days")
    return number


def _add_texts(columns: list[_Column], selection: Handle, row: int, times: int = 1) -> None:
    for position, column in enumerate(columns):
        column.values.extend(
            [read_text(library.selection_text, selection.pointer, row, position)] * times)


def _period_columns(starts: list[Day], ends: list[Day], days: int, basis: str) -> list[_Column]:
    return [_Column("window_start", _DAY, starts), _Column("window_end", _DAY, ends),
            _Column("days", _NUMBER, [days] * len(ends)),
            _Column("basis", _TEXT, [basis] * len(ends))]


def _add_entries(entries: Handle, dates: list[_Column], figures: _Figures) -> int:
    """Adds all of a group; returns how many."""
    entry, err, added = CEntry(), CError(), 0
    while library.entries_next(entries.pointer, entry, figures.sums, err):
        for column, day in zip(dates, (entry.first_day, entry.last_day)):
            column.values.append(_to_day(day))
        figures.add(entry.incidents)
        added += 1
    if err.code != Code.OK:
        raise err.exception()
    return added


def open(path: Union[str, os.PathLike[str]]) -> Rollup:  # noqa: A001
    """Opens a rollup file. Raises `Error`: NOT_FOUND, IO, CORRUPT with the section as `place`, or
    UNSUPPORTED for one of a newer format."""
    return Rollup(path)
