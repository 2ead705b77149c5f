"""The two shapes of feed that bench_generate makes, as the rivals have to know them."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Targets:
    times_a: float  # as fast as DuckDB's job A, at least
    times_l: float  # as fast as its job L, at least
    times_cpu: float  # less processor time than job A, at least
    peak_mib: float  # at most


@dataclasses.dataclass(frozen=True)
class Shape:
    name: str
    rows: int  # of the full-size file
    columns: tuple  # of the CSV header, in its order
    integers: frozenset  # columns that hold integers; dates are dates, all others are text
    # What is kept of an incident, as (name in the tables, column of the CSV); the first is its key.
    kept: tuple
    revision: str  # name in the tables; "" where the later row wins
    feed: str  # the [feed] section for tallyd, without its title, as users would write it
    targets: Targets  # of the cold load

    @property
    def date_column(self):
        return dict(self.kept)["day"]

    @property
    def same_feed(self):
        """The [feed] section that keeps what the rivals keep, and no more."""
        columns = dict(self.kept)
        measures = [name for name in ("killed", "wounded") if name in columns]
        lines = [f"id = {columns['id']}", f"date = {columns['day']}", "date_format = %Y-%m-%d"]
        lines += [f"revision = {columns['revision']}"] if self.revision else []
        lines += [f"dim.{name} = {columns[name]}" for name in GROUP]
        lines += [f"measure.{name} = {columns[name]}" for name in measures]
        return "\n".join(lines) + "\n"


GROUP = ("country", "admin1", "event_type")
WINDOW_DAYS = 50

ACLED = Shape(
    name="acled",
    rows=1_000_000,
    columns=tuple(
        "event_id_cnty event_date year time_precision disorder_type event_type sub_event_type"
        " actor1 assoc_actor_1 inter1 actor2 assoc_actor_2 inter2 interaction civilian_targeting"
        " iso region country admin1 admin2 admin3 location latitude longitude geo_precision source"
        " source_scale notes fatalities tags timestamp".split()
    ),
    integers=frozenset({"fatalities", "timestamp"}),
    kept=(
        ("id", "event_id_cnty"),
        ("day", "event_date"),
        ("country", "country"),
        ("admin1", "admin1"),
        ("event_type", "event_type"),
        ("killed", "fatalities"),
        ("revision", "timestamp"),
    ),
    revision="revision",
    feed="preset = acled\n",
    targets=Targets(times_a=6, times_l=10, times_cpu=6, peak_mib=96),
)

COMPACT = Shape(
    name="compact",
    rows=5_000_000,
    columns=tuple("id date country admin1 actor event_type killed wounded".split()),
    integers=frozenset({"id", "killed", "wounded"}),
    kept=(
        ("id", "id"),
        ("day", "date"),
        ("country", "country"),
        ("admin1", "admin1"),
        ("event_type", "event_type"),
        ("killed", "killed"),
        ("wounded", "wounded"),
    ),
    revision="",
    feed="""\
preset = generic
id = id
date = date
dim.country = country
dim.admin1 = admin1
dim.event_type = event_type
measure.killed = killed
measure.wounded = wounded
""",
    targets=Targets(times_a=6, times_l=5, times_cpu=6, peak_mib=256),
)

SHAPES = (ACLED, COMPACT)
