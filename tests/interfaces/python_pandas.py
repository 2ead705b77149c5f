#!/usr/bin/env python3
"""Tables as DataFrames: shape, types, and <NA> for what is unknown or absent."""

import importlib.util
import sys

import desk
from desk import END, must, same


def frames(options, stack):
    import tally

    home = stack.enter_context(desk.Desk(options))
    rollup = stack.enter_context(tally.open(home.rollup("everything")))
    return rollup, home


def test_a_frame_has_the_rows_of_its_table(options, stack):
    import pandas

    rollup, _ = frames(options, stack)
    for table in (rollup.window(7, by=rollup.dims, compare=["previous", "year-ago"]),
                  rollup.series(7, "2020-10-01", by="feed"), rollup.cells(), rollup.spans(),
                  rollup.window(7, where={"feed": "none"}), rollup.window(7, "1990-01-01", "feed")):
        frame = table.to_pandas()
        same((len(table), len(table.columns)), frame.shape, "shape")
        same(list(table.columns), list(frame.columns), "columns")
        for name in table.columns:
            want = table[name]
            got = [None if value is pandas.NA else value for value in frame[name]]
            if frame[name].dtype == "datetime64[ns]":
                got = [value.date() for value in got]
            same(want, got, name)


def test_unknown_is_na_and_numbers_stay_whole(options, stack):
    rollup, _ = frames(options, stack)
    frame = rollup.window(7, by=rollup.dims).to_pandas()
    for name in ("days", "incidents", "killed", "killed_reported", "wounded", "wounded_reported"):
        same("Int64", str(frame[name].dtype), name)
    quakes = frame[frame["feed"] == "quakes"]
    must(len(quakes) > 0 and quakes["wounded"].isna().all()
         and quakes["wounded_reported"].isna().all(), "absent is not <NA>")
    unknown = frame[(frame["feed"] == "attacks") & (frame["wounded_reported"] == 0)]
    must(len(unknown) > 0 and unknown["wounded"].isna().all(), "unknown is not <NA>")
    same(END, frame["window_end"].iloc[0].date(), "window_end")


def test_great_sums_are_exact(options, stack):
    import tally

    great = (1 << 62) + 1  # no double
    incidents = [desk.Incident(feed, "Kabul", "police" if feed == "attacks" else "", END, END,
                               great, None) for feed in ("attacks", "quakes")]
    home = stack.enter_context(desk.Desk(options, incidents))
    rollup = stack.enter_context(tally.open(home.rollup("everything")))
    same([great, great], list(rollup.window(7, by="feed").to_pandas()["killed"]), "killed")


if __name__ == "__main__":
    asked = desk.arguments(__doc__)
    desk.built_plainly(asked)
    if not importlib.util.find_spec("pandas"):
        print(f"SKIP  no pandas for {sys.executable}")
        sys.exit(desk.SKIPPED)
    desk.load_library(asked)
    desk.run_tests(sys.modules["__main__"], asked, "interfaces python_pandas")
