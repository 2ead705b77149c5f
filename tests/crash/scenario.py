"""The scenario that is killed and disturbed: every kind of file and outcome, in a fixed order."""

import gzip
import random

CONFIG = """\
scan_interval = 200ms
settle = 200ms
publish_interval = 1h
segment_max = 64K
chunk_rows = 512

[feed attacks]
files = *attacks*.csv *attacks*.csv.gz
id = id
revision = revision
date = date
dim.province = province
dim.target = target
measure.killed = killed
measure.wounded = wounded

[feed retractions]
files = *retractions*.csv
mode = deletions
deletes = attacks
id = id

[feed reports]
files = *reports*.csv
mode = snapshot
id = report
date = day
dim.country = country
measure.killed = dead

[rollup attacks]
feeds = attacks
by = province target
measures = killed wounded
windows = 7d 50d

[rollup reports]
feeds = reports
by = country
measures = killed
windows = 50d

[rollup both]
feeds = attacks reports
by = feed
measures = killed
windows = 50d
"""

PROVINCES = ("Kabul", "Kandahar", "Herat", "Balkh", "Helmand", "Nangarhar", "Kunduz")
TARGETS = ("civilians", "police", "convoy")
ATTACKS_HEADER = "id,revision,date,province,target,killed,wounded\n"


def attacks(seed, count, revision=1, first=0):
    """Rows of made-up attacks; the same ids with another revision move and change."""
    chance = random.Random(seed)
    rows = []
    for i in range(first, first + count):
        day = f"2020-{chance.randrange(1, 13):02d}-{chance.randrange(1, 29):02d}"
        wounded = chance.choice(("", chance.randrange(20)))
        rows.append(f"A-{i},{revision},{day},{chance.choice(PROVINCES)},{chance.choice(TARGETS)},"
                    f"{chance.randrange(9)},{wounded}\n")
    return ATTACKS_HEADER + "".join(rows)


def files():
    """Name and bytes, in the order in which they are dropped."""
    first = attacks(1, 40)
    reports = "report,day,country,dead\n"
    return [
        ("01-attacks.csv", first.encode()),
        ("02-attacks-large.csv", attacks(2, 4500, first=1000).encode()),
        ("03-attacks-revised.csv", attacks(3, 20, revision=2, first=10).encode()),
        ("04-attacks-bad-rows.csv", (attacks(4, 10, first=100)
                                     + "A-200,1,2020-02-30,Kabul,police,1,2\n"
                                     + "A-201,1,2020-03-01,Kabul,police,many,2\n"
                                     + "A-202,1,2020-03-02,Kabul,police,1\n").encode()),
        ("05-monthly.csv", b"month,total\n2020-01,17\n"),
        ("06-attacks-torn.csv", (attacks(6, 5, first=300) + "A-305,1,2020-0").encode()),
        ("07-attacks-again.csv", first.encode()),
        ("08-attacks.csv.gz", gzip.compress(attacks(8, 30, first=400).encode(), mtime=0)),
        ("09-reports.csv", (reports + "R1,2020-05-01,PK,4\nR2,2020-05-02,PK,2\n"
                            "R3,2020-05-03,CO,7\n").encode()),
        ("10-reports.csv", (reports + "R1,2020-05-01,PK,5\nR3,2020-05-03,CO,7\n").encode()),
        ("11-retractions.csv", b"id\nA-3\nA-1007\nA-404\n"),
    ]


QUESTIONS = (
    ("window", "attacks", "--days", "50", "--end", "2020-10-24", "--by", "province,target"),
    ("window", "both", "--days", "366", "--end", "2020-12-31", "--by", "feed"),
)


def digests(sandbox):
    return {row["rollup"]: row["digest"] for row in sandbox.table("rollups")}


def figures(sandbox):
    """Everything that has to come out the same however often it was disturbed."""
    answers = [sandbox.tally(*question, "--format", "csv").ended(0).out for question in QUESTIONS]
    return answers, digests(sandbox)
