"""Feeds of two other kinds than bench_generate makes, for the table of stages.

ucdp   50 columns with sources and headlines in quotes, some with commas, doubled quotes or line
       breaks, as UCDP GED exports have them
gdelt  61 columns divided by tabs, no header, no quotes, most of them empty or short

All content is made up. The rows of a pool are repeated, each time with ids of their own.
"""

import random

import rivals

POOL = 2000
SYLLABLES = "kar dor mish sel va tun rin bek lor nas pel gul hin zar mo wen tal".split()
UCDP_COLUMNS = (
    "id relid year active_year code_status type_of_violence conflict_dset_id conflict_new_id"
    " conflict_name dyad_dset_id dyad_new_id dyad_name side_a_dset_id side_a_new_id side_a"
    " side_b_dset_id side_b_new_id side_b number_of_sources source_article source_office"
    " source_date source_headline source_original where_prec where_coordinates where_description"
    " adm_1 adm_2 latitude longitude geom_wkt priogrid_gid country iso3 country_id region"
    " event_clarity date_prec date_start date_end deaths_a deaths_b deaths_civilians"
    " deaths_unknown best high low gwnoa gwnob"
).split()
GDELT_COLUMNS = 61


def word(rng):
    return "".join(rng.choices(SYLLABLES, k=rng.randint(2, 4)))


def words(rng, least, most):
    return " ".join(word(rng) for _ in range(rng.randint(least, most)))


def quoted(text):
    return '"' + text.replace('"', '""') + '"'


def article(rng):
    """One to four sources, each in doubled quotes, now and then on lines of their own."""
    between = "\n" if rng.random() < 0.3 else ";"
    sources = [
        f'"{words(rng, 1, 3)},2016-0{rng.randint(1, 9)}-11,{words(rng, 5, 14)}"'
        for _ in range(rng.randint(1, 4))
    ]
    return quoted(between.join(sources))


def ucdp_row(rng, places):
    day = f"20{rng.randint(10, 24)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02} 00:00:00.000"
    side_a, side_b = rng.choice(places), rng.choice(places)
    best = int(rng.expovariate(0.3))
    texts = {
        "conflict_name": f"{side_a}: {side_b}",
        "dyad_name": f"{side_a} - {side_b}",
        "side_a": side_a,
        "side_b": side_b,
        "source_article": article(rng),
        "source_headline": quoted(f"{words(rng, 4, 10)}, {words(rng, 2, 5)}"),
        "source_original": words(rng, 1, 4),
        "where_coordinates": f"{word(rng)} town",
        "where_description": quoted(f"{words(rng, 3, 8)}, {words(rng, 2, 9)}"),
        "adm_1": rng.choice(places) + " province",
        "adm_2": rng.choice(places) + " district",
        "country": rng.choice(places[:60]),
        "region": rng.choice(places[:5]),
        "date_start": day,
        "date_end": day,
        "best": best,
        "high": best + rng.randint(0, 3),
        "low": best // 2,
        "geom_wkt": f"POINT ({rng.uniform(-90, 90):.6f} {rng.uniform(-90, 90):.6f})",
    }
    return ",".join(str(texts.get(name, rng.randint(0, 900))) for name in UCDP_COLUMNS[1:])


def gdelt_row(rng, places):
    day = f"2015{rng.randint(1, 12):02}{rng.randint(1, 28):02}"
    cells = [day, day[:6], day[:4], f"2015.{rng.randint(1000, 9999)}"]
    while len(cells) < GDELT_COLUMNS - 2:
        kind = rng.random()
        cells.append(
            "" if kind < 0.4 else str(rng.randint(0, 200)) if kind < 0.8 else rng.choice(places)
        )
    cells.append("http://example.org/" + words(rng, 4, 9).replace(" ", "-"))
    return "\t".join(cells)


# name: (row of the pool, delimiter, header, the [feed] section's lines)
KINDS = {
    "ucdp": (ucdp_row, ",", ",".join(UCDP_COLUMNS) + "\n", "ucdp-ged"),
    "gdelt": (gdelt_row, "\t", "", None),
}
GDELT_FEED = """\
header = none
columns = 1 id, 2 day, 7 actor, 17 target, 54 country
column_counts = 61
delimiter = tab
quote = none
id = id
date = day
date_format = %Y%m%d
dim.actor = actor
dim.target = target
dim.country = country
"""


def write(path, kind, rows):
    """Makes the file unless it is there; its name says what is in it."""
    if path.exists():
        return
    make_row, delimiter, header, _ = KINDS[kind]
    rng = random.Random(kind)
    places = [word(rng) for _ in range(1000)]
    pool = [f"{delimiter}{make_row(rng, places)}\n" for _ in range(POOL)]
    part = path.with_suffix(".part")
    with open(part, "w", encoding="utf-8", newline="") as out:
        out.write(header)
        for first in range(0, rows, POOL):
            out.writelines(f"{first + i}{row}" for i, row in enumerate(pool[: rows - first]))
    part.rename(path)


def feed_lines(kind):
    preset = KINDS[kind][3]
    return preset_lines(preset) if preset else GDELT_FEED


def preset_lines(name):
    path = rivals.BENCH.parent / "ingest" / "feeds" / f"{name}.conf"
    return "".join(line for line in path.open() if " = " in line and not line.startswith(";"))
