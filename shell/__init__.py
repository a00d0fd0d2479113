"""Everything with a terminal: the command line, the interactive shell, scripts and output formats."""
