"""Running plans: connections of a session, results, bulk loading, changes of data and of definitions."""
