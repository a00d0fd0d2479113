"""Random schemas, data, queries and changes from a seed, for hunting wrong answers.

Promises: the same seed gives the same schema, data and statements. What a statement gives is fixed by what DuckDB
promises, but for the order of rows: ties in an order are broken wherever they would show, sums are over values that add
up the same in any order, and no expression fails for some rows only. From the bottom up: `values` (constants), `schema`
(tables, views, macros), `scope` (what a statement can name), `expressions`, `conditions` (with subqueries),
`aggregates`, `windows`, `relations` (FROM clauses), `selects`, `shapes`, `naming` and `mistakes` (other
statements), `statements` (which of them comes next); `changes` and `between` stand beside them.
Leaves to others: how tables are placed (`layouts.py`), what is compared (`harness.py`).
"""
