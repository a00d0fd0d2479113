"""Changes of data: which road a statement takes, bulk loading, changes computed at the gateway."""
