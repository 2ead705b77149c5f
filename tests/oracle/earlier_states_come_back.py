#!/usr/bin/env python3
"""--as-of any batch equals a fresh daemon that was fed only the files up to it.

And `tally explain` lists exactly the incidents behind a window, each with the record and line of
its file; `tally diff` between two batches is the difference of their windows.
"""

import random
import sys

import histories
import modes_follow_the_model as modes
import oracle
from model import BASES, read_id

DIMS, MEASURES = modes.DIMS, modes.MEASURES
QUESTIONS = 6
make = modes.make


def question(rng):
    words = ["--days", str(rng.choice([1, 7, 50, 200])), "--basis", rng.choice(BASES),
             "--end", histories.day(rng, 200).isoformat()]
    if rng.random() < 0.3:
        words += ["--where", f"place={rng.choice(['Kabul', '!Kabul', 'Paktika'])}"]
    return words


def by_group(rows):
    return {tuple(row.pop(name) for name in DIMS): row for row in rows
            if row.get("incidents") != "0"}


def brought(case, tallyd):
    """The case's files in the order of their batches, from 1."""
    files = {file.name: file for file in case.files}
    return [(int(row["batch"]), files[row["file"]]) for row in tallyd.ask("files")
            if row["outcome"] == "accepted"]


def line_of(file, record):
    """The physical line on which a record begins; the header begins on line 1."""
    return 1 + sum(line.count("\n") for line in file.lines()[:record])


def check_origin(case, row):
    """The file, record and line that stand behind an incident are those of its id."""
    file = next(file for file in case.files if file.name == row["file"])
    record = int(row["record"])
    id_ = read_id(file.records[record - 1][0].strip())
    where = (row["id"], str(line_of(file, record)))
    if (id_, row["line"]) != where:
        raise oracle.Failure(f"tally explain: {row}\n  record {record} of {file.name} is {id_}, "
                             f"on line {where[1]}")


def explain(case, tallyd, batch, asked):
    rows = tallyd.ask("explain", "all", *asked, "--as-of", str(batch))
    for row in rows:
        check_origin(case, row)
    return rows


def sums(rows):
    """Adds the rows of `tally explain` up by group."""
    groups = {}
    for row in rows:
        groups.setdefault(tuple(row[name] for name in DIMS), []).append(row)
    figures = {}
    for group, some in groups.items():
        figures[group] = {"incidents": str(len(some))}
        for name in MEASURES:
            given = [int(row[name]) for row in some if row[name]]
            figures[group][name] = str(sum(given)) if given else ""
            figures[group][name + "_reported"] = str(len(given))
    return figures


def only_sums(groups):
    names = ["incidents"] + [name for m in MEASURES for name in (m, m + "_reported")]
    return {group: {name: row[name] for name in names} for group, row in groups.items()}


def figure(groups, group, name):
    return int(groups.get(group, {}).get(name) or 0)


def check_diff(tallyd, before, after, asked, windows):
    """`tally diff` lists the groups that changed, with both figures and their difference."""
    rows = by_group(tallyd.ask("diff", "all", *asked, "--by", ",".join(DIMS), "--from",
                               str(before), "--to", str(after)))
    one, other = only_sums(windows[before]), only_sums(windows[after])
    want, got = {}, {}
    for group in one.keys() | other.keys():
        if one.get(group) != other.get(group):
            want[group] = [(figure(one, group, name), figure(other, group, name),
                            figure(other, group, name) - figure(one, group, name))
                           for name in ("incidents", *MEASURES)]
    for group, row in rows.items():
        got[group] = [tuple(int(row[name] or 0) for name in names) for names in (
            ("before_incidents", "after_incidents", "change"),
            *((f"before_{m}", f"after_{m}", f"change_{m}") for m in MEASURES))]
    oracle.same(want, got, f"tally diff {' '.join(asked)} --from {before} --to {after}")


def content(row):
    return tuple(row[name] for name in DIMS + ["first_day", "last_day"] + MEASURES)


def check_changes(tallyd, before, after, asked, behind):
    """`tally diff --incidents` lists the incidents that are not the same behind both figures."""
    rows = tallyd.ask("diff", "all", *asked, "--incidents", "--from", str(before),
                      "--to", str(after))
    one, other = ({row["id"]: content(row) for row in behind[batch]} for batch in (before, after))
    want = {id_: "changed" for id_ in one.keys() | other.keys() if one.get(id_) != other.get(id_)}
    oracle.same(want, {row["id"]: "changed" for row in rows},
                f"tally diff --incidents {' '.join(asked)} --from {before} --to {after}")


def fresh_windows(case, folder, upto, questions):
    """What a daemon says that was fed the files up to one batch only."""
    first = case.files[:case.files.index(upto) + 1]
    with oracle.Tallyd(folder, case.config) as tallyd:
        tallyd.take(first)
        return [by_group(tallyd.ask("window", "all", *asked, "--by", ",".join(DIMS)))
                for asked in questions]


def check(case, folder):
    rng = random.Random(case.seed)
    questions = [question(rng) for _ in range(QUESTIONS)]
    with oracle.Tallyd(folder, case.config) as tallyd:
        tallyd.take(case.files)
        windows = [{} for _ in questions]  # of each question by batch
        behind = [{} for _ in questions]
        batches = brought(case, tallyd)
        for batch, upto in batches:
            fresh = fresh_windows(case, folder, upto, questions)
            for i, asked in enumerate(questions):
                windows[i][batch] = by_group(tallyd.ask(
                    "window", "all", *asked, "--by", ",".join(DIMS), "--as-of", str(batch)))
                oracle.same(fresh[i], windows[i][batch],
                            f"tally window {' '.join(asked)} --as-of {batch}, fresh and later")
                behind[i][batch] = explain(case, tallyd, batch, asked)
                oracle.same(only_sums(windows[i][batch]), sums(behind[i][batch]),
                            f"tally explain {' '.join(asked)} --as-of {batch}, added up")
        if len(batches) < 2:
            return
        for i, asked in enumerate(questions):
            before, after = sorted(rng.sample([batch for batch, _ in batches], 2))
            check_diff(tallyd, before, after, asked, windows[i])
            check_changes(tallyd, before, after, asked, behind[i])


if __name__ == "__main__":
    sys.exit(oracle.main(__doc__, 15, make, check))
