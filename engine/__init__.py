"""The database, with no network and no terminal in it."""
