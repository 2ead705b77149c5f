#!/usr/bin/env python3
"""Figures that are promised for real UCDP files, each also counted anew."""

import datetime

import real

PAKISTAN = "ucdp_ged_hdx_pak.csv"
COLOMBIA = "ucdp_ged_hdx_col.csv"
UKRAINE_1 = "ucdp_ged_hdx_ukr_r1_ged191.csv"
UKRAINE_2 = "ucdp_ged_hdx_ukr_r2_ged201.csv"

# File, last of 50 days, basis, incidents, best, and low, high, civilians where they are promised.
WINDOWS = [
    (PAKISTAN, "2009-06-15", "start", 146, 1527, 1523, 1631, 63),
    (PAKISTAN, "2009-06-15", "end", 143, 1484),
    (PAKISTAN, "2009-06-15", "overlap", 147, 2955),
    (PAKISTAN, "2009-06-15", "inside", 143, 1484),
    (COLOMBIA, "2002-06-01", "start", 85, 577, 429, 665, 202),
    (COLOMBIA, "2002-06-01", "end", 80, 530),
    (COLOMBIA, "2002-06-01", "overlap", 92, 943),
    (COLOMBIA, "2002-06-01", "inside", 79, 530),
    (UKRAINE_1, "2014-08-31", "start", 67, 1682, 1483, 1834, 449),
    (UKRAINE_2, "2014-08-31", "end", 70, 1614),
    (UKRAINE_2, "2014-08-31", "overlap", 71, 2180),
    (UKRAINE_2, "2014-08-31", "inside", 66, 1116),
]
COLUMNS = ("incidents", "killed", "killed.low", "killed.high", "civilians")
PREVIOUS = (54, 396, 370, 458, 58)  # Pakistan, the 50 days before, by start


def load(programs, *names, mode=""):
    tallyd = real.Tallyd(programs, real.GED_CONFIG.format(mode=mode))
    return tallyd, tallyd.drop(*map(real.file, names))


def windows_of_50_days(programs):
    for name in dict.fromkeys(window[0] for window in WINDOWS):
        incidents = real.newest(real.ged(real.file(name)))
        with load(programs, name)[0] as tallyd:
            for _, end, basis, *want in (window for window in WINDOWS if window[0] == name):
                last = datetime.date.fromisoformat(end)
                first = last - datetime.timedelta(days=49)
                row, = tallyd.window("deaths", first, last, "--basis", basis)
                got = [int(row[column]) for column, _ in zip(COLUMNS, want)]
                real.expect(f"{name}, 50 days to {end} by {basis}", got, want)
                real.expect(f"{name}: the window", (row["window_start"], row["window_end"]),
                            (first.isoformat(), end))
                real.compare_window(tallyd, "deaths", incidents, real.GED_NAMES, first, last, basis)


def the_50_days_before(programs):
    with load(programs, PAKISTAN)[0] as tallyd:
        row, = tallyd.tally("window", "deaths", "--days", "50", "--end", "2009-06-15",
                            "--compare", "previous")
    real.expect("Pakistan, previous", tuple(int(row[f"previous_{name}"]) for name in COLUMNS),
                PREVIOUS)


def every_incident_is_there_once(programs):
    for name, want in ((PAKISTAN, 6416), (UKRAINE_1, 993)):
        tallyd, (outcome,) = load(programs, name)
        with tallyd:
            real.expect(f"{name}: added", int(outcome["added"]), want)
            real.expect(f"{name}: counted anew", len(real.newest(real.ged(real.file(name)))), want)


def the_same_bytes_under_another_name_change_nothing(programs):
    tallyd, _ = load(programs, UKRAINE_1)
    with tallyd:
        rollups = tallyd.tally("rollups")
        again, = tallyd.drop(real.file(UKRAINE_1), name="another-name.csv")
        real.expect("outcome", again["outcome"], "duplicate")
        real.expect("rollups", tallyd.tally("rollups"), rollups)


def the_second_release_over_the_first_leaves_1167(programs):
    for mode in ("", "mode = snapshot\nscope = country\n"):
        tallyd, (first, second) = load(programs, UKRAINE_1, UKRAINE_2, mode=mode)
        with tallyd:
            real.expect("first release", int(first["added"]), 993)
            real.expect("second release", [int(second[name]) for name in
                                           ("added", "revised", "withdrawn", "unchanged")],
                        [174, 1, 0, 992])
            days = str(365 * 50)
            row, = tallyd.tally("window", "deaths", "--days", days)
            real.expect("incidents", int(row["incidents"]), 1167)


if __name__ == "__main__":
    real.main([windows_of_50_days, the_50_days_before, every_incident_is_there_once,
               the_same_bytes_under_another_name_change_nothing,
               the_second_release_over_the_first_leaves_1167])
