"""libtally.so.1 by ctypes: the declarations of tally.h, and errors as exceptions.

A test compares what stands here with the header.
"""

from __future__ import annotations

import ctypes
import enum
from ctypes import POINTER, c_bool, c_char_p, c_int, c_int32, c_int64, c_size_t, c_uint32, c_uint64
from ctypes import c_void_p
from typing import Any, Callable

DIMS_MAX = 16
MEASURES_MAX = 32
SERIES_DAYS_MAX = 366000
DIGEST_BYTES = 33
DAY_BYTES = 16
DAY_MIN = -4371587
DAY_MAX = 2932896

ABSENT, UNKNOWN, KNOWN = range(3)
CELLS, SPANS = range(2)
BASES = ("start", "end", "overlap", "inside")


class Code(enum.IntEnum):
    """What went wrong: `Error.code`."""

    OK = 0
    INVALID = 1  #: an argument makes no sense
    NOT_FOUND = 2  #: no such file, or no data yet
    CORRUPT = 3  #: the file is damaged; `place` names the section
    UNSUPPORTED = 4  #: written by a newer version
    REFUSED = 5
    LIMIT = 6
    OVERFLOW = 7  #: a sum does not fit in 64 bits
    IO = 8  #: a system call failed; `sys_errno` says why
    NO_SPACE = 9
    NO_MEMORY = 10
    BUSY = 11
    SYNC_FAILED = 12
    UNAVAILABLE = 13


class Error(Exception):
    """A failure that libtally reported, or an argument that makes no sense."""

    def __init__(self, code: Code, message: str, place: str = "", sys_errno: int = 0) -> None:
        super().__init__(f"{place}: {message}" if place else message)
        self.code = code
        self.message = message
        self.place = place  #: where in the input, such as "section cells"; or empty
        self.sys_errno = sys_errno  #: 0 unless a system call failed


def invalid(message: str) -> Error:
    return Error(Code.INVALID, message)


class CError(ctypes.Structure):
    _fields_ = [("code", c_int), ("sys_errno", c_int), ("source", c_char_p),
                ("place", ctypes.c_char * 96), ("message", ctypes.c_char * 256)]

    def exception(self) -> Error:
        return Error(Code(self.code), self.message.decode(errors="replace"),
                     self.place.decode(errors="replace"), self.sys_errno)


class CSum(ctypes.Structure):
    _fields_ = [("sum", c_int64), ("reported", c_uint64), ("state", c_int)]


SUM_FORMAT = "qQi4x"  # the same for struct.unpack


class CCoverage(ctypes.Structure):
    _fields_ = [("any", c_bool), ("first_day", c_int32), ("last_day", c_int32)]


class CEntry(ctypes.Structure):
    _fields_ = [("first_day", c_int32), ("last_day", c_int32), ("incidents", c_uint64)]


_ERR = POINTER(CError)
_SUMS = POINTER(CSum)
_INCIDENTS = POINTER(c_uint64)
_TEXTS = POINTER(c_char_p)

# Name of the function without "tally_": what it returns, what it takes.
FUNCTIONS: dict[str, tuple[Any, list[Any]]] = {
    "open": (c_void_p, [c_char_p, _ERR]),
    "close": (None, [c_void_p]),
    "verify": (c_bool, [c_void_p, _ERR]),
    "name": (c_char_p, [c_void_p]),
    "generation": (c_uint64, [c_void_p]),
    "digest": (c_char_p, [c_void_p, c_char_p]),
    "feeds": (c_size_t, [c_void_p]),
    "feed": (c_char_p, [c_void_p, c_size_t]),
    "coverage": (CCoverage, [c_void_p, c_size_t]),
    "feed_has": (c_bool, [c_void_p, c_size_t, c_size_t]),
    "dims": (c_size_t, [c_void_p]),
    "dim": (c_char_p, [c_void_p, c_size_t]),
    "measures": (c_size_t, [c_void_p]),
    "measure": (c_char_p, [c_void_p, c_size_t]),
    "windows": (c_size_t, [c_void_p]),
    "window_days": (c_uint32, [c_void_p, c_size_t]),
    "any_day": (c_bool, [c_void_p]),
    "first_day": (c_int32, [c_void_p]),
    "last_day": (c_int32, [c_void_p]),
    "end_day": (c_bool, [c_void_p, POINTER(c_int32), _ERR]),
    "groups": (c_size_t, [c_void_p]),
    "text": (c_size_t, [c_void_p, c_size_t, c_size_t, c_char_p, c_size_t]),
    "selection_open": (c_void_p, [c_void_p, _TEXTS, c_size_t, _TEXTS, c_size_t, _ERR]),
    "selection_close": (None, [c_void_p]),
    "selection_rows": (c_size_t, [c_void_p]),
    "selection_text": (c_size_t, [c_void_p, c_size_t, c_size_t, c_char_p, c_size_t]),
    "selection_groups": (POINTER(c_size_t), [c_void_p, c_size_t, POINTER(c_size_t)]),
    "selection_windows": (c_bool, [c_void_p, c_int, c_int32, c_int32, _INCIDENTS, _SUMS, _ERR]),
    "selection_has_feed": (c_bool, [c_void_p, c_size_t]),
    "condition": (c_size_t, [c_char_p, c_char_p, c_char_p, c_size_t]),
    "series_open": (c_void_p, [c_void_p, c_size_t, c_int, c_uint32, c_int32, c_int32, _ERR]),
    "series_close": (None, [c_void_p]),
    "series_window": (c_bool, [c_void_p, c_int32, _INCIDENTS, _SUMS, _ERR]),
    "entries_open": (c_void_p, [c_void_p, c_size_t, c_int, _ERR]),
    "entries_close": (None, [c_void_p]),
    "entries_next": (c_bool, [c_void_p, POINTER(CEntry), _SUMS, _ERR]),
    "day_parse": (c_bool, [c_char_p, POINTER(c_int32)]),
    "day_format": (c_char_p, [c_int32, c_char_p]),
    "day_year_ago": (c_int32, [c_int32]),
}


class _Library:
    """The functions of FUNCTIONS as attributes."""

    def __init__(self) -> None:
        shared = ctypes.CDLL("libtally.so.1")
        for name, (returns, takes) in FUNCTIONS.items():
            function = getattr(shared, "tally_" + name)
            function.restype = returns
            function.argtypes = takes
            setattr(self, name, function)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        raise AttributeError(name)  # only for those that are not in FUNCTIONS


library = _Library()


class Handle:
    """Something that libtally opened, closed when nobody refers to it any more.

    `keep`: what it stands on and has to outlive it.
    """

    def __init__(self, kind: str, keep: Any, *arguments: Any) -> None:
        self.pointer = None
        self._close = getattr(library, f"{kind}_close" if kind else "close")
        self._keep = keep
        err = CError()
        pointer = getattr(library, f"{kind}_open" if kind else "open")(*arguments, err)
        if not pointer:
            raise err.exception()
        self.pointer = pointer

    def __del__(self) -> None:
        if self.pointer:
            self._close(self.pointer)
            self.pointer = None


def read_text(function: Callable[..., int], *arguments: Any) -> str:
    """A text that libtally copies as snprintf does."""
    capacity = 256
    while True:
        buffer = ctypes.create_string_buffer(capacity)
        count = function(*arguments, buffer, capacity)
        if count < capacity:
            return buffer.raw[:count].decode(errors="replace")
        capacity = count + 1


def texts(values: list[str]) -> Any:
    """An array of C strings."""
    for value in values:
        if "\0" in value:
            raise invalid(f"{value!r} holds a NUL")
    return (c_char_p * len(values))(*(value.encode(errors="surrogateescape") for value in values))
