#!/usr/bin/env python3
"""Every real feed with its preset as shipped: rows, sums and each year against a second count."""

import calendar
import csv
import datetime

import real

CONFIG = """
[feed real]
preset = {preset}
[rollup all]
feeds = real
by = {dim}
measures = {measures}
windows = 50d
"""


def holds(programs, preset, dim, names, path, incidents, rejected=0):
    """The file's outcome, then every figure. `incidents`: one a row that is taken."""
    kept = real.newest(incidents)
    config = CONFIG.format(preset=preset, dim=dim, measures=" ".join(names))
    with real.Tallyd(programs, config) as tallyd:
        outcome, = tallyd.drop(path)
        real.expect(f"{path.name}: outcome", outcome["outcome"], "accepted")
        real.expect(f"{path.name}: added", int(outcome["added"]), len(kept))
        real.expect(f"{path.name}: rejected", int(outcome["rejected"]), rejected)
        real.compare(tallyd, "all", dim, kept, names)
        return outcome


def ucdp_ged_in_all_layouts(programs):
    for name in ("ucdp_ged_hdx_bgd.csv", "ucdp_ged_hdx_col.csv", "ucdp_ged_hdx_pak.csv",
                 "ucdp_ged_hdx_ukr_r1_ged191.csv", "ucdp_ged_hdx_ukr_r2_ged201.csv"):
        path = real.file(name)
        incidents = real.ged(path)
        outcome = holds(programs, "ucdp-ged", "country", real.GED_NAMES, path, incidents)
        disordered = sum(not i.measures["killed.low"] <= i.measures["killed"]
                         <= i.measures["killed.high"] for i in incidents)
        real.expect(f"{name}: rows", int(outcome["rows"]), len(incidents))
        real.expect(f"{name}: estimates out of order", int(outcome["disordered"]), disordered)


def gdelt_without_a_header(programs):
    names = ("mentions", "sources", "articles")
    path = real.file("gdelt2_events_20151027220000.tsv")
    rows = list(real.rows_of(path, "\t", csv.QUOTE_NONE, header=list(range(1, 62))))
    holds(programs, "gdelt2", "event_type", names, path, [
        real.Incident(row[1], *[datetime.datetime.strptime(row[2], "%Y%m%d").date()] * 2, row[29],
                      dict(zip(names, (int(row[32]), int(row[33]), int(row[34])))), int(row[60]))
        for row in rows])


def usgs_by_day_in_utc(programs):
    path = real.file("usgs_all_month_2016-04.csv")
    holds(programs, "usgs-earthquakes", "event_type", ("reviewed",), path, [
        real.Incident(row["id"], *[datetime.date.fromisoformat(row["time"][:10])] * 2, row["type"],
                      {"reviewed": int(row["status"] == "reviewed")}, row["updated"])
        for row in real.rows_of(path)])


def chicago_with_two_styles_of_dates(programs):
    path = real.file("chicago_crimes_31st_st.csv")
    holds(programs, "chicago-crimes", "event_type", ("homicides", "arrests", "domestic"), path, [
        real.Incident(row["ID"],
                      *[datetime.datetime.strptime(row["Date"], "%m/%d/%Y %I:%M:%S %p").date()] * 2,
                      row["Primary Type"],
                      {"homicides": int(row["Primary Type"] == "HOMICIDE"),
                       "arrests": int(row["Arrest"] == "true"),
                       "domestic": int(row["Domestic"] == "true")},
                      datetime.datetime.strptime(row["Updated On"], "%Y %b %d %I:%M:%S %p"))
        for row in real.rows_of(path)])


def nypd_victims_in_both_layouts(programs):
    names = ("killed", "wounded", "victims")
    for name in ("nypd_shootings_2019_ytd.csv", "nypd_shootings_2022_ytd_asof_0930.csv"):
        path = real.file(name)
        incidents = {}
        for row in real.rows_of(path):
            day = datetime.datetime.strptime(row["OCCUR_DATE"], "%m/%d/%Y").date()
            killed = {"true": 1, "Y": 1, "false": 0, "N": 0}[row["STATISTICAL_MURDER_FLAG"]]
            incident = incidents.setdefault(row["INCIDENT_KEY"], real.Incident(
                row["INCIDENT_KEY"], day, day, row["BORO"], dict.fromkeys(names, 0)))
            for measure, count in zip(names, (killed, 1 - killed, 1)):
                incident.measures[measure] += count
        holds(programs, "nypd-shootings", "borough", names, path, list(incidents.values()))


def number(text):
    return int(text) if text.strip() else None


def days_of(year, month, day):
    """The first and last of the days that are possible; None: no day of the calendar."""
    try:
        if month and day:
            return (datetime.date(year, month, day),) * 2
        last = calendar.monthrange(year, month)[1] if month else 31
        return datetime.date(year, month or 1, 1), datetime.date(year, month or 12, last)
    except ValueError:
        return None


def noaa_with_imprecise_dates_and_blanks(programs):
    names = ("killed", "wounded", "missing", "total_killed")
    columns = ("DEATHS", "INJURIES", "MISSING", "TOTAL_DEATHS")
    path = real.file("noaa_significant_earthquakes_asof_2018-03.tsv")
    incidents, rejected = [], 0
    for row in real.rows_of(path, "\t", csv.QUOTE_NONE):
        year = int(row["YEAR"])
        days = days_of(year, number(row["MONTH"]), number(row["DAY"])) if year >= 1 else None
        if not days:
            rejected += 1
            continue
        incidents.append(real.Incident(
            row["I_D"].strip(), *days, row["COUNTRY"].strip(),
            {name: number(row[column]) for name, column in zip(names, columns)}))
    holds(programs, "noaa-significant-earthquakes", "country", names, path, incidents, rejected)


if __name__ == "__main__":
    real.main([ucdp_ged_in_all_layouts, gdelt_without_a_header, usgs_by_day_in_utc,
               chicago_with_two_styles_of_dates, nypd_victims_in_both_layouts,
               noaa_with_imprecise_dates_and_blanks])
