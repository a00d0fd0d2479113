"""Transactions: their ids, their locks, and commits that are on all shards or on none."""
