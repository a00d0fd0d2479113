"""Changes of definitions: tables, indexes, sequences, views and the rest, each on all its shards or on none."""
