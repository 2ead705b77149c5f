#!/usr/bin/env python3
"""Releases of one real feed over each other: snapshots of a country, dry run, diff and as of."""

import hashlib

import real

SNAPSHOT = "mode = snapshot\nscope = country\n"
FIRST = "ucdp_ged_hdx_ukr_r1_ged191.csv"
SECOND = "ucdp_ged_hdx_ukr_r2_ged201.csv"
NEIGHBOUR = "ucdp_ged_hdx_bgd.csv"


def load(programs, mode, *names):
    tallyd = real.Tallyd(programs, real.GED_CONFIG.format(mode=mode))
    tallyd.drop(*map(real.file, names))
    return tallyd


def counted(*names):
    return [incident for name in names for incident in real.newest(real.ged(real.file(name)))]


def a_snapshot_speaks_for_its_country_alone(programs):
    with load(programs, SNAPSHOT, NEIGHBOUR, FIRST, SECOND) as tallyd:
        real.compare(tallyd, "deaths", "country", counted(NEIGHBOUR, SECOND), real.GED_NAMES)


def ids_that_vanish_from_a_snapshot_are_withdrawn(programs):
    first, second = (real.newest(real.ged(real.file(name))) for name in (FIRST, SECOND))
    gone = {incident.id for incident in second} - {incident.id for incident in first}
    with load(programs, SNAPSHOT, NEIGHBOUR, SECOND) as tallyd:
        outcome, = tallyd.drop(real.file(FIRST))
        real.expect("withdrawn", int(outcome["withdrawn"]), len(gone))
        real.compare(tallyd, "deaths", "country", counted(NEIGHBOUR, FIRST), real.GED_NAMES)
        rows = tallyd.tally("diff", "deaths", "--from", "2", "--to", "3", "--incidents")
        real.expect("withdrawn in the diff",
                    {row["id"] for row in rows if row["change"] == "withdrawn"}, gone)


def upserts_keep_what_vanished(programs):
    kept = {incident.id: incident for incident in counted(SECOND) + counted(FIRST)}
    with load(programs, "", SECOND, FIRST) as tallyd:
        real.compare(tallyd, "deaths", "country", list(kept.values()), real.GED_NAMES)


def tree(folder):
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob("*")) if path.is_file()}


def a_dry_run_tells_the_diff_and_changes_nothing(programs):
    for mode in ("", SNAPSHOT):
        with load(programs, mode, NEIGHBOUR, FIRST) as tallyd:
            before = tree(tallyd.state)
            told = tallyd.dry_run(real.file(SECOND))
            real.expect("state after the dry run", tree(tallyd.state), before)
            tallyd.drop(real.file(SECOND))
            diff = tallyd.run("tally", "--state", tallyd.state, "diff", "deaths",
                              "--from", "2", "--to", "3")
            real.expect("dry run", told, diff)
            real.expect("rows of the dry run", len(told.splitlines()), 2)


def figures_as_of_each_batch_are_those_of_then(programs):
    with load(programs, SNAPSHOT, FIRST) as tallyd:
        question = ("window", "deaths", "--days", "50", "--end", "2014-08-31", "--by", "adm_1")
        then = tallyd.tally(*question)
        tallyd.drop(real.file(SECOND))
        real.expect("as of batch 1", tallyd.tally(*question, "--as-of", "1"), then)


if __name__ == "__main__":
    real.main([a_snapshot_speaks_for_its_country_alone,
               ids_that_vanish_from_a_snapshot_are_withdrawn, upserts_keep_what_vanished,
               a_dry_run_tells_the_diff_and_changes_nothing,
               figures_as_of_each_batch_are_those_of_then])
