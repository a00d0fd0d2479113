"""Every aggregate function of DuckDB in calls that have one right answer, and the reference page made of their plans.

Each call is written over the table `COLUMNS` with the rows `ROWS`. Where the answer of a function depends on the order
of rows, the call is such that it does not, or is put into an expression that forgets the order.
Promises: the page says what the planner does: its words are taken from plans.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import duckdb

from duckraft.engine.planner.plan import Plan, Tier
from duckraft.engine.session import Session

COLUMNS = (
    "id INTEGER, g VARCHAR, x INTEGER, u UTINYINT, h HUGEINT, p DOUBLE, d DOUBLE, m DECIMAL(10,2), s VARCHAR,"
    " same VARCHAR, b BOOLEAN, day DATE, moment TIMESTAMP, bits BIT, tags VARCHAR[], often VARCHAR"
)
ROWS = (
    "SELECT i, ['a', 'b', NULL][1 + i % 3], CASE WHEN i % 7 = 3 THEN NULL ELSE (i * 37) % 50 END, i % 5, i * 1000,"
    " (i % 17) * 1.25 + 1, CASE WHEN i = 11 THEN 'nan'::DOUBLE WHEN i % 9 = 2 THEN NULL ELSE i * 0.5 END,"
    " ((i * 31) % 40)::DECIMAL(10,2) / 4, ['x', 'żółw', NULL, ''][1 + i % 4], 'same', i % 4 < 2,"
    " DATE '2024-01-01' + (i % 9)::INTEGER, TIMESTAMP '2024-01-01 12:00:00' + INTERVAL (i) HOUR, i::BIT,"
    " [['a', 'b'], [], NULL][1 + i % 3], CASE WHEN i % 5 = 0 THEN 'seldom' ELSE 'often' END FROM range(1, 61) r(i)"
)

PLAIN, FILTER, DISTINCT, ORDER_BY = MODIFIERS = ("plain", "FILTER", "DISTINCT", "ORDER BY")


@dataclass(frozen=True, slots=True)
class Call:
    """A call of an aggregate function. wrapper: the expression it is put into, which forgets what is left open."""

    name: str
    arguments: str
    wrapper: str = "{}"

    def __str__(self) -> str:
        return f"{self.name}({self.arguments})"

    def sql(self, modifier: str = PLAIN) -> str:
        """The call with a modifier, in its wrapper."""
        distinct = "DISTINCT " if modifier == DISTINCT else ""
        order = " ORDER BY id" if modifier == ORDER_BY else ""
        kept = " FILTER (WHERE id > 30)" if modifier == FILTER else ""
        return self.wrapper.format(f"{self.name}({distinct}{self.arguments}{order}){kept}")


def _calls(names: str, *arguments: str, wrapper: str = "{}") -> Iterator[Call]:
    for name in names.split():
        for argument in arguments:
            yield Call(name, argument, wrapper)


CALLS = (
    *_calls("any_value arbitrary first last", "same"),
    *_calls("approx_count_distinct", "x", "s"),
    *_calls("approx_quantile", "x, 0.5", "p, [0.1, 0.9]"),
    *_calls("approx_top_k", "often, 1"),
    *_calls(
        "arg_max argmax max_by arg_min argmin min_by arg_max_nulls_last arg_min_nulls_last",
        "s, id",
        "x, id, 3",
    ),
    *_calls("arg_max_null arg_min_null", "s, id"),
    *_calls("list array_agg", "x", wrapper="list_sort({})"),
    *_calls("avg mean", "x", "m", "h", "p", "d", "day"),
    *_calls("bit_and bit_or bit_xor", "x", "bits"),
    *_calls("bitstring_agg", "u", "x, 0, 50"),
    *_calls("bool_and bool_or", "b", "x > 48"),
    *_calls("count", "*", "x"),
    *_calls("count_star", ""),
    *_calls("count_if countif", "x > 10"),
    *_calls("corr covar_pop covar_samp", "p, x"),
    *_calls(
        "regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy", "p, x"
    ),
    *_calls("decimal_average", "m"),
    *_calls("entropy", "s"),
    *_calls("favg fsum kahan_sum sumkahan product", "p"),
    *_calls("kurtosis kurtosis_pop sem skewness", "p * p"),
    *_calls("stddev stddev_pop stddev_samp var_pop var_samp variance", "p", "x"),
    *_calls("string_agg group_concat listagg", "s, ','", wrapper="list_sort(string_split({}, ','))"),
    *_calls("histogram", "s", "x, [10, 30]"),
    *_calls("histogram_exact", "x, [10, 30]"),
    *_calls("lttb", "p, p, 1000", wrapper="list_sort({})"),
    *_calls("mad", "p", "m", "moment"),
    *_calls("max min", "x", "d", "s", "tags", "moment", "x, 3"),
    *_calls("median", "x", "p", "moment", "s"),
    *_calls("mode", "often"),
    *_calls("quantile quantile_disc", "x, 0.25", "s, 0.5", "p, [0.1, 0.9]"),
    *_calls("quantile_cont", "x, 0.25", "moment, 0.5", "p, [0.1, 0.9]"),
    *_calls("reservoir_quantile", "x, 0.5, 1000"),
    *_calls("sum", "x", "h", "m", "p", "d", "b"),
    *_calls("sum_no_overflow", "x"),
    *_calls("variant_group_object", "s, s::VARIANT", wrapper="{} IS NULL"),
)

OTHERS = frozenset({"combine_aggr"})
"""Functions that take no column of a table: they merge states."""


def aggregates_of_duckdb(connection: duckdb.DuckDBPyConnection) -> dict[str, str | None]:
    """Every aggregate function of DuckDB, and the first name of those that are another's second."""
    rows = connection.execute(
        "SELECT function_name, min(alias_of) FROM duckdb_functions() WHERE function_type = 'aggregate'"
        " GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    return {str(name): first for name, first in rows}


def way_of(plan: Plan) -> str:
    """How a plan merges an aggregate: `value`, `state` or `rows`."""
    if plan.tier is not Tier.SPLIT:
        return "rows"
    return "state" if "EXPORT_STATE" in plan.fragments()[0].sql(lambda table: table.name) else "value"


def page(session: Session, plain: duckdb.DuckDBPyConnection) -> str:
    """The reference page. session: on a database with the table `t`, sharded by `id`; plain: a DuckDB with it too."""
    names = aggregates_of_duckdb(plain)
    lines = [_INTRODUCTION]
    for call in sorted(CALLS, key=lambda call: (call.name, CALLS.index(call))):
        ways: list[str] = []
        why = ""
        for modifier in MODIFIERS:
            sql = f"SELECT {call.sql(modifier)} FROM t"
            if not _binds(plain, sql):
                ways.append("–")
                continue
            plan = session.plan(sql)
            ways.append(way_of(plan))
            if modifier == PLAIN and ways[-1] == "rows":
                why = plan.reason
        first = names.get(call.name)
        listed = f"`{call}`" + (f" (is `{first}`)" if first else "")
        lines.append(f"| {listed} | {' | '.join(ways)} | {why} |")
    lines += [f"| `{name}(…)` | rows | – | – | – | it is what merges states |" for name in sorted(OTHERS)]
    return "\n".join(lines) + "\n"


def _binds(plain: duckdb.DuckDBPyConnection, sql: str) -> bool:
    try:
        plain.execute(f"EXPLAIN {sql}")
    except duckdb.Error:
        return False
    return True


_INTRODUCTION = """\
# Aggregate functions

Every aggregate function of DuckDB works on sharded tables, with `DISTINCT`, `FILTER` and `ORDER BY`, and answers as it
does on one DuckDB. This page says where the work is done. It is written by the tests from the plans of the calls below;
`EXPLAIN` shows the plan of yours.

- **value**: each shard aggregates its rows, and the values of the shards are aggregated to one.
- **state**: each shard aggregates its rows, and sends the state of the aggregate: DuckDB merges states of several
  shards as it merges those of its own threads.
- **rows**: the rows that are aggregated are read at the gateway. All aggregates of a `SELECT` whose one aggregate needs
  its rows are made there.

A query with `GROUP BY` over the whole shard key has each group on one shard, which aggregates it as a whole: all
functions work there in every form. So do queries that need one shard only, and those of reference tables. Where there
are very many groups, aggregating twice costs more than it saves, and the rows are read as well.

What a function leaves open is left open here too. `first`, `last`, `any_value` and `arbitrary` without `ORDER BY`
give some row's value; `list`, `string_agg` and `lttb` without it take the rows in some order; `arg_min`, `arg_max`
and `mode` choose among equals as they like. Rows of different shards have no order among each other. Sums, averages
and whatever is made of floating-point numbers differ in their last digits with the order of adding, as they do from
run to run on one DuckDB with several threads. `approx_…` functions are estimates.

| call | plain | `FILTER` | `DISTINCT` | `ORDER BY` | why rows |
|---|---|---|---|---|---|"""
