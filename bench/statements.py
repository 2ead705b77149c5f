"""The SQL of the rivals. All of them make the same two tables from one CSV:

cells    country, admin1, event_type, day, incidents, killed: a row per group and day with incidents
windows  the same columns: the exact sums of the 50 days that end on each of those days
"""

from shapes import GROUP, WINDOW_DAYS

GROUP_LIST = ", ".join(GROUP)


def windows_query(days_before):
    return (
        f"SELECT {GROUP_LIST}, day, sum(incidents) OVER span AS incidents,"
        " sum(killed) OVER span AS killed FROM cells"
        f" WINDOW span AS (PARTITION BY {GROUP_LIST} ORDER BY day"
        f" RANGE BETWEEN {days_before} PRECEDING AND CURRENT ROW)"
    )


def keep_newest(shape):
    """What a second row with the same id does."""
    others = [name for name, _ in shape.kept[1:]]
    update = ", ".join(f"{name} = excluded.{name}" for name in others)
    newer = f" WHERE excluded.{shape.revision} >= {shape.revision}" if shape.revision else ""
    return f"ON CONFLICT (id) DO UPDATE SET {update}{newer}"


def declared(shape, type_of):
    """The columns of the table of incidents. `type_of`(shape, column): the engine's type."""
    return ", ".join(f"{name} {type_of(shape, column)}" for name, column in shape.kept)


def insert_from(shape, source):
    chosen = ", ".join(f"{column} AS {name}" for name, column in shape.kept)
    return f"INSERT INTO incidents SELECT {chosen} FROM {source}"


def check_queries(cells, windows, day_of_cells):
    """One row of figures that have to be the same for everybody."""
    last_days = f"(SELECT max({day_of_cells}) FROM {cells}) - {WINDOW_DAYS}"
    groups = f"(SELECT count(*) FROM (SELECT DISTINCT {GROUP_LIST} FROM {cells}) AS every_group)"
    return f"""
        SELECT {groups} AS groups,
               (SELECT count(*) FROM {cells}) AS cells,
               (SELECT sum(incidents) FROM {cells}) AS incidents,
               (SELECT sum(killed) FROM {cells}) AS killed,
               (SELECT sum(incidents) FROM {cells} WHERE {day_of_cells} > {last_days})
                   AS window_incidents,
               (SELECT sum(killed) FROM {cells} WHERE {day_of_cells} > {last_days})
                   AS window_killed,
               (SELECT sum(incidents) FROM {windows}) AS all_windows_incidents,
               (SELECT sum(killed) FROM {windows}) AS all_windows_killed
    """


def duckdb_type(shape, column):
    if column == shape.date_column:
        return "DATE"
    return "BIGINT" if column in shape.integers else "VARCHAR"


def duckdb_read(shape, csv):
    # Every type is given: nothing is spent on sniffing, and only the columns in use are kept.
    columns = ", ".join(f"'{name}': '{duckdb_type(shape, name)}'" for name in shape.columns)
    return (
        f"read_csv('{csv}', header = true, auto_detect = false, delim = ',', quote = '\"',"
        f" escape = '\"', new_line = '\\n', columns = {{{columns}}})"
    )


def duckdb_cells(source, day, killed):
    return (
        f"SELECT {GROUP_LIST}, {day} AS day, count(*) AS incidents,"
        f" sum({killed})::BIGINT AS killed FROM {source} GROUP BY ALL"
    )


DUCKDB_WINDOWS = windows_query(f"INTERVAL {WINDOW_DAYS - 1} DAYS")


def duckdb_a(shape, csv, cells_file, windows_file):
    column = dict(shape.kept)
    cells = duckdb_cells(duckdb_read(shape, csv), column["day"], column["killed"])
    parquet = "(FORMAT parquet, COMPRESSION zstd)"
    return [
        f"CREATE TEMP TABLE cells AS {cells}",
        f"COPY cells TO '{cells_file}' {parquet}",
        f"COPY ({DUCKDB_WINDOWS}) TO '{windows_file}' {parquet}",
    ]


def duckdb_a_check(cells_file, windows_file):
    return [check_queries(f"'{cells_file}'", f"'{windows_file}'", "day")]


def duckdb_insert(shape, csv):
    return f"{insert_from(shape, duckdb_read(shape, csv))} {keep_newest(shape)}"


def duckdb_create(shape):
    return f"CREATE TABLE incidents ({declared(shape, duckdb_type)}, PRIMARY KEY (id))"


def duckdb_l(shape, csv):
    return [
        duckdb_create(shape),
        duckdb_insert(shape, csv),
        f"CREATE TABLE cells AS {duckdb_cells('incidents', 'day', 'killed')}",
        f"CREATE TABLE windows AS {DUCKDB_WINDOWS}",
        "CHECKPOINT",
    ]


def duckdb_revisions(shape, base, files):
    """All stays in one process. Cells are made anew, which is quicker than changing 20,000 of them;
    windows are left to whoever asks. Each file is on the disk when its COMMIT is over."""
    cells = duckdb_cells("incidents", "day", "killed")
    return [
        duckdb_create(shape),
        duckdb_insert(shape, base),
        f"CREATE TABLE cells AS {cells}",
        "CHECKPOINT",
        *(
            f"-- timed\nBEGIN; {duckdb_insert(shape, file)};"
            f" CREATE OR REPLACE TABLE cells AS {cells}; COMMIT"
            for file in files
        ),
        "SELECT count(*) AS cells, sum(incidents) AS incidents, sum(killed) AS killed FROM cells",
    ]


def duckdb_l_check():
    return [check_queries("cells", "windows", "day")]


def clickhouse_type(shape, column):
    if column == shape.date_column:
        return "Date"
    return "Int64" if column in shape.integers else "String"


def clickhouse_read(shape, csv):
    columns = ", ".join(f"{name} {clickhouse_type(shape, name)}" for name in shape.columns)
    return f"file('{csv}', 'CSVWithNames', '{columns}')"


def clickhouse_cells(source, day, killed):
    return (
        f"SELECT {GROUP_LIST}, {day} AS day, count() AS incidents, sum({killed}) AS killed"
        f" FROM {source} GROUP BY {GROUP_LIST}, day"
    )


CLICKHOUSE_TABLE = "ENGINE = MergeTree ORDER BY tuple() SETTINGS fsync_after_insert = 1"


def clickhouse_a(shape, csv, cells_file, windows_file):
    column = dict(shape.kept)
    cells = clickhouse_cells(clickhouse_read(shape, csv), column["day"], column["killed"])
    return [
        f"CREATE TABLE cells ENGINE = Memory AS {cells}",
        f"INSERT INTO FUNCTION file('{cells_file}', 'Parquet') SELECT * FROM cells",
        f"INSERT INTO FUNCTION file('{windows_file}', 'Parquet') {windows_query(WINDOW_DAYS - 1)}",
    ]


def clickhouse_a_check(cells_file, windows_file):
    return [check_queries(f"file('{cells_file}')", f"file('{windows_file}')", "day")]


def clickhouse_l(shape, csv):
    cells = clickhouse_cells("incidents FINAL", "day", "killed")
    return [
        f"CREATE TABLE incidents ({declared(shape, clickhouse_type)})"
        f" ENGINE = ReplacingMergeTree({shape.revision})"
        " ORDER BY id SETTINGS fsync_after_insert = 1",
        insert_from(shape, clickhouse_read(shape, csv)),
        f"CREATE TABLE cells {CLICKHOUSE_TABLE} AS {cells}",
        f"CREATE TABLE windows {CLICKHOUSE_TABLE} AS {windows_query(WINDOW_DAYS - 1)}",
    ]


def clickhouse_l_check():
    return duckdb_l_check()


def sqlite_type(shape, column):
    return "INTEGER" if column in shape.integers else "TEXT"


def sqlite_load(shape, csv):
    """A script for the sqlite3 shell."""
    by_text_key = "" if shape.kept[0][1] in shape.integers else " WITHOUT ROWID"
    columns = ", ".join(f"NULL AS {name}" for name in shape.columns)
    values = ", ".join(f"NEW.{column}" for _, column in shape.kept)
    return f"""\
PRAGMA journal_mode = DELETE;
PRAGMA synchronous = FULL;
PRAGMA cache_size = -262144;
PRAGMA temp_store = MEMORY;
PRAGMA threads = 2;
CREATE TABLE incidents ({declared(shape, sqlite_type)}, PRIMARY KEY (id)){by_text_key};
CREATE VIEW feed AS SELECT {columns};
CREATE TRIGGER feed_row INSTEAD OF INSERT ON feed BEGIN
    INSERT INTO incidents VALUES ({values}) {keep_newest(shape)};
END;
.mode csv
.import --skip 1 "{csv}" feed
BEGIN;
CREATE TABLE cells AS
    SELECT {GROUP_LIST}, CAST(julianday(day) AS INTEGER) AS day, count(*) AS incidents,
           sum(killed) AS killed
    FROM incidents GROUP BY {GROUP_LIST}, day;
CREATE TABLE windows AS {windows_query(WINDOW_DAYS - 1)};
COMMIT;
"""


def sqlite_check():
    return check_queries("cells", "windows", "day") + ";"


def duckdb_packed(path):
    """Cells as Parquet, in four files; one row of figures. `path` gives the file of a name."""
    kinds = {name: "VARCHAR" for name in GROUP}
    kinds |= {"day": "DATE", "incidents": "INTEGER", "killed": "INTEGER", "reported": "INTEGER"}
    columns = ", ".join(f"'{name}': '{kind}'" for name, kind in kinds.items())
    order = f"ORDER BY {GROUP_LIST}, day"
    zstd = "FORMAT parquet, COMPRESSION zstd"
    smallest = f"{zstd}, COMPRESSION_LEVEL 19, ROW_GROUP_SIZE 10000000"
    with_windows = (
        "SELECT *, (sum(incidents) OVER span)::INTEGER AS window_incidents,"
        " (sum(killed) OVER span)::INTEGER AS window_killed FROM cells"
        f" WINDOW span AS (PARTITION BY {GROUP_LIST} ORDER BY day"
        f" RANGE BETWEEN INTERVAL {WINDOW_DAYS - 1} DAYS PRECEDING AND CURRENT ROW)"
    )
    return [
        f"CREATE TEMP TABLE cells AS SELECT {GROUP_LIST}, day, incidents, killed FROM"
        f" read_csv('{path('cells.csv')}', header = true, auto_detect = false,"
        f" columns = {{{columns}}})",
        f"COPY (FROM cells {order}) TO '{path('cells.parquet')}' ({zstd})",
        f"COPY (FROM cells {order}) TO '{path('cells-19.parquet')}' ({smallest})",
        f"COPY (FROM ({with_windows}) {order}) TO '{path('windows.parquet')}' ({zstd})",
        f"COPY (FROM ({with_windows}) {order}) TO '{path('windows-19.parquet')}' ({smallest})",
        f"SELECT (SELECT count(*) FROM (SELECT DISTINCT {GROUP_LIST} FROM cells)) AS groups,"
        " count(*) AS cells, sum(incidents) AS incidents, sum(killed) AS killed"
        f" FROM '{path('cells.parquet')}'",
    ]


def sqlite_packed(cells_csv, index):
    """A script for the sqlite3 shell. `index`: texts find their group."""
    by_texts = f"CREATE UNIQUE INDEX by_texts ON groups ({GROUP_LIST});" if index else ""
    return f"""\
PRAGMA synchronous = OFF;
PRAGMA cache_size = -262144;
CREATE TEMP TABLE loaded ({", ".join(f"{name} TEXT" for name in GROUP)},
    day TEXT, incidents INTEGER, killed INTEGER, reported INTEGER);
.mode csv
.import --skip 1 --schema temp "{cells_csv}" loaded
CREATE TABLE groups (group_id INTEGER PRIMARY KEY, {", ".join(f"{n} TEXT" for n in GROUP)});
INSERT INTO groups
    SELECT row_number() OVER () - 1, * FROM
    (SELECT DISTINCT {GROUP_LIST} FROM loaded ORDER BY {GROUP_LIST});
CREATE TABLE cells (group_id INTEGER, day INTEGER, incidents INTEGER, killed INTEGER,
    PRIMARY KEY (group_id, day)) WITHOUT ROWID;
CREATE TEMP TABLE numbered AS SELECT * FROM groups;
CREATE UNIQUE INDEX temp.by_texts_of_all ON numbered ({GROUP_LIST});
INSERT INTO cells
    SELECT group_id, CAST(julianday(day) - 2440587.5 AS INTEGER), incidents, killed
    FROM loaded JOIN numbered USING ({GROUP_LIST}) ORDER BY 1, 2;
{by_texts}
VACUUM;
ANALYZE;
.mode json
SELECT (SELECT count(*) FROM groups) AS groups, count(*) AS cells,
       sum(incidents) AS incidents, sum(killed) AS killed FROM cells;
"""


def sql_text(text):
    return "'" + text.replace("'", "''") + "'"


def one_window(cells, texts, first, last):
    """One group's window, found by its texts."""
    conditions = [f"{name} = {sql_text(text)}" for name, text in zip(GROUP, texts)]
    return (
        f"SELECT sum(incidents) AS incidents, sum(killed) AS killed FROM {cells}"
        f" WHERE {' AND '.join(conditions)} AND day BETWEEN {first} AND {last}"
    )
