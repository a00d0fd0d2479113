"""Queries: fragments bound to their shards, results that stream."""
