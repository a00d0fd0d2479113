"""DuckDB files and the DuckDB client: nothing else in duckraft imports `duckdb`."""
