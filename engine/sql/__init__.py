"""SQL text: its lexemes, its statements, our own clauses, and what kind of statement each is."""
