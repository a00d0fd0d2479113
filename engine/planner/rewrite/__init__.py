"""Statements written another way, with the same answers, where DuckDB plans the other way better over shards."""
