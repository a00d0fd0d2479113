"""The roads of statements: one module for each family, and the table that tells which statement takes which."""
