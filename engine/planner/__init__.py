"""From a statement to a plan: which shards, which fragments, what to merge. Opens no connection, runs nothing."""
