"""What the tour shows: chapters of statements, each with the reason why it is worth a look."""

from __future__ import annotations

from dataclasses import dataclass

from duckraft.engine.types import quote_string

from .flights import FlightFiles


@dataclass(frozen=True, slots=True)
class Stop:
    """One statement. why: what to look at, in a sentence or two. plan: show its EXPLAIN before its rows."""

    why: str
    sql: str
    plan: bool = False


@dataclass(frozen=True, slots=True)
class Chapter:
    """A few stops with a title and an introduction."""

    title: str
    intro: str
    stops: tuple[Stop, ...]


_FLIGHT_COLUMNS = """\
    year INTEGER, month INTEGER, day INTEGER, dep_time INTEGER, sched_dep_time INTEGER,
    dep_delay INTEGER, arr_time INTEGER, sched_arr_time INTEGER, arr_delay INTEGER,
    carrier VARCHAR, flight INTEGER, tailnum VARCHAR, origin VARCHAR, dest VARCHAR,
    air_time INTEGER, distance INTEGER, hour INTEGER, minute INTEGER, time_hour TIMESTAMP"""

_PLANE_COLUMNS = """\
    tailnum VARCHAR PRIMARY KEY, year INTEGER, type VARCHAR, manufacturer VARCHAR,
    model VARCHAR, engines INTEGER, seats INTEGER, speed INTEGER, engine VARCHAR"""

_WEATHER_COLUMNS = """\
    origin VARCHAR, year INTEGER, month INTEGER, day INTEGER, hour INTEGER, temp DOUBLE,
    dewp DOUBLE, humid DOUBLE, wind_dir DOUBLE, wind_speed DOUBLE, wind_gust DOUBLE,
    precip DOUBLE, pressure DOUBLE, visib DOUBLE, time_hour TIMESTAMP"""

_AIRPORT_COLUMNS = """\
    faa VARCHAR, name VARCHAR, lat DOUBLE, lon DOUBLE, alt INTEGER, tz INTEGER,
    dst VARCHAR, tzone VARCHAR"""


def chapters(files: FlightFiles, shards: int) -> tuple[Chapter, ...]:
    """The whole tour for a database of `shards` shards; `files` hold the data."""
    return (
        _tables(shards),
        _loading(files),
        _placement(),
        _routing(),
        _splitting(),
        _joining(),
        _gathering(),
    )


def _tables(shards: int) -> Chapter:
    return Chapter(
        "Five tables, five ways to shard",
        "A table says in its CREATE TABLE how its rows are spread over shards. Each shard is a DuckDB file of its own.",
        (
            Stop(
                f"HASH: a plane's tail number decides which of {shards} shards a flight goes to.",
                f"CREATE TABLE flights (\n{_FLIGHT_COLUMNS}\n) SHARD BY HASH (tailnum) SHARDS {shards}",
            ),
            Stop(
                "COLOCATE WITH: planes are spread by the same key in the same way: a plane lies beside its flights.",
                f"CREATE TABLE planes (\n{_PLANE_COLUMNS}\n) SHARD BY HASH (tailnum) COLOCATE WITH flights",
            ),
            Stop(
                "RANGE: a quarter of a year of weather to a shard: a query on dates reads only what it needs.",
                f"CREATE TABLE weather (\n{_WEATHER_COLUMNS}\n) SHARD BY RANGE (time_hour) (\n"
                "    VALUES LESS THAN ('2013-04-01'), VALUES LESS THAN ('2013-07-01'),\n"
                "    VALUES LESS THAN ('2013-10-01'), MAXVALUE)",
            ),
            Stop(
                "DIRECTORY: a list says which time zone lives where; all others go to the default shard.",
                f"CREATE TABLE airports (\n{_AIRPORT_COLUMNS}\n) SHARD BY DIRECTORY (tzone) (\n"
                "    SHARD 0 VALUES ('America/New_York'),\n"
                "    SHARD 1 VALUES ('America/Chicago', 'America/Denver'),\n"
                "    DEFAULT SHARD 2)",
            ),
            Stop(
                "REFERENCE: a small table of which every node has a full copy, so that joining it moves nothing.",
                "CREATE TABLE airlines (carrier VARCHAR PRIMARY KEY, name VARCHAR) REFERENCE",
            ),
        ),
    )


def _loading(files: FlightFiles) -> Chapter:
    stops = tuple(
        Stop(
            why,
            f"COPY {table} FROM {quote_string(str(files.paths[table]))}\n(FORMAT csv, HEADER, NULLSTR 'NA')",
        )
        for table, why in (
            ("airlines", "16 airlines, to every node."),
            ("airports", "1,458 airports, by time zone."),
            ("planes", "3,322 planes."),
            ("weather", "26,115 hours of weather at the three airports of New York."),
            ("flights", "336,776 flights: one pass over the file, each row to its shard."),
        )
    )
    return Chapter("Loading", "COPY reads the file once and sends each row to the shard of its key.", stops)


def _placement() -> Chapter:
    return Chapter(
        "Where the rows are",
        "The catalog is made of tables, so that plain SQL can ask where the data lies.",
        (
            Stop(
                "The tables, their strategies and their keys. (SHOW TABLES tells more.)",
                "SELECT table_name, strategy, shard_key, shards, rows FROM duckraft.tables ORDER BY table_name",
            ),
            Stop(
                "The spread, shard by shard: hashing is even, ranges and lists are as even as the data.",
                "SELECT table_name, list(rows ORDER BY shard) AS rows_by_shard FROM duckraft.shards\n"
                "GROUP BY table_name ORDER BY table_name",
            ),
            Stop(
                "What each shard of a table holds.",
                "SELECT shard, holds, rows FROM duckraft.shards WHERE table_name = 'weather' ORDER BY shard",
            ),
        ),
    )


def _routing() -> Chapter:
    return Chapter(
        "Reading one shard of many",
        "Where the key is known, only the shards that can have it are read. The plan says which, and why.",
        (
            Stop(
                "One plane, one shard: the text goes there as it is.",
                "SELECT month, day, origin, dest, arr_delay FROM flights\n"
                "WHERE tailnum = 'N14228' ORDER BY month, day",
                plan=True,
            ),
            Stop(
                "EXPLAIN ROUTE tells where a statement would go, without running it.",
                "EXPLAIN ROUTE SELECT * FROM flights\nWHERE tailnum IN ('N14228', 'N24211', 'N619AA')",
            ),
            Stop(
                "A list of keys goes to the shards of those keys.",
                "SELECT tailnum, count(*) AS flights, sum(distance) AS miles FROM flights\n"
                "WHERE tailnum IN ('N14228', 'N24211', 'N619AA')\n"
                "GROUP BY tailnum ORDER BY tailnum",
                plan=True,
            ),
            Stop(
                "July lies in the third range: three of four shards are not opened.",
                "SELECT origin, round(avg(temp), 1) AS mean_fahrenheit, max(round(wind_gust, 1)) AS gust FROM weather\n"
                "WHERE time_hour >= TIMESTAMP '2013-07-01' AND time_hour < TIMESTAMP '2013-08-01'\n"
                "GROUP BY origin ORDER BY origin",
                plan=True,
            ),
            Stop(
                "The directory knows that Denver's time zone is on shard 1.",
                "SELECT faa, name, alt FROM airports WHERE tzone = 'America/Denver' ORDER BY alt DESC LIMIT 5",
                plan=True,
            ),
        ),
    )


def _splitting() -> Chapter:
    return Chapter(
        "Splitting the work",
        "Where all shards are needed, each does as much as it can alone, and little is merged.",
        (
            Stop(
                "Each shard sums up its own flights into states, which are small; the merge combines them. An average "
                "of averages would be wrong.",
                "SELECT carrier, count(*) AS flights, round(avg(arr_delay), 2) AS mean_delay FROM flights\n"
                "GROUP BY carrier ORDER BY flights DESC",
                plan=True,
            ),
            Stop(
                "Even a median can be merged from states.",
                "SELECT origin, median(dep_delay) AS median, round(stddev(dep_delay), 2) AS deviation FROM flights\n"
                "GROUP BY origin ORDER BY origin",
                plan=True,
            ),
            Stop(
                "Top-N: each shard sends its own first five, not all it has.",
                "SELECT carrier, flight, origin, dest, dep_delay FROM flights\n"
                "ORDER BY dep_delay DESC LIMIT 5",
                plan=True,
            ),
            Stop(
                "DISTINCT: each shard drops its doubles first, the merge those between shards.",
                "SELECT DISTINCT origin, carrier FROM flights ORDER BY origin, carrier",
                plan=True,
            ),
        ),
    )


def _joining() -> Chapter:
    return Chapter(
        "Joining where the data lies",
        "Joins are done inside the shards where placement allows it.",
        (
            Stop(
                "Airlines are a reference table: every shard has all of them at hand.",
                "SELECT a.name, count(*) AS cancelled FROM flights f JOIN airlines a USING (carrier)\n"
                "WHERE f.dep_time IS NULL GROUP BY a.name ORDER BY cancelled DESC LIMIT 5",
                plan=True,
            ),
            Stop(
                "Flights and planes share key and placement: each shard joins its own part, nothing moves.",
                "SELECT p.manufacturer, count(*) AS flights, round(avg(p.seats)) AS seats\n"
                "FROM flights f JOIN planes p ON f.tailnum = p.tailnum\n"
                "GROUP BY p.manufacturer ORDER BY flights DESC LIMIT 5",
                plan=True,
            ),
            Stop(
                "Flights lie by plane, weather lies by date: what is needed of both meets in the merge.",
                "SELECT w.visib < 1 AS fog, count(*) AS flights, round(avg(f.dep_delay), 1) AS mean_delay\n"
                "FROM flights f JOIN weather w ON f.origin = w.origin AND f.time_hour = w.time_hour\n"
                "GROUP BY fog ORDER BY fog",
                plan=True,
            ),
        ),
    )


def _gathering() -> Chapter:
    return Chapter(
        "Everything else still works",
        "What cannot be split runs in the gateway over all shards: no query is refused because its tables are sharded.",
        (
            Stop(
                "A window over all shards: the worst day of each month.",
                "SELECT month, day, round(avg(dep_delay), 1) AS mean_delay FROM flights GROUP BY month, day\n"
                "QUALIFY row_number() OVER (PARTITION BY month ORDER BY avg(dep_delay) DESC) = 1 ORDER BY month",
                plan=True,
            ),
        ),
    )
