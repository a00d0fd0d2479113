"""The exit codes of the program, which scripts rely on."""

FINE = 0
USAGE = 1
"""A wrong option, a file that cannot be read or written, a command of the shell used wrongly."""
NO_DATABASE = 2
"""The database cannot be opened or reached."""
SQL_ERROR = 3
BUG = 70
"""Something in duckraft that nobody foresaw, outside a statement: EX_SOFTWARE of sysexits.h."""
INTERRUPTED = 130
"""Ctrl-C: 128 + SIGINT, as shells count it."""
BROKEN_PIPE = 141
"""The reader of our output went away: 128 + SIGPIPE, as every filter that is stopped by it."""
