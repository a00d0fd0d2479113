"""Functions that have one value for a whole statement, or another for each call: shards would each have their own.

Promises: every function of DuckDB whose stability is not CONSISTENT is among them (a test compares), and the words that
stand for calls of such a function.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...sql.lexer import Kind, Lexeme, significant

_FUNCTIONS = frozenset(
    {
        "ago",
        "currval",
        "current_catalog",
        "current_connection_id",
        "current_database",
        "current_date",
        "current_localtime",
        "current_localtimestamp",
        "current_query",
        "current_query_id",
        "current_schema",
        "current_schemas",
        "current_setting",
        "current_time",
        "current_timestamp",
        "current_transaction_id",
        "error",
        "gen_random_uuid",
        "get_current_time",
        "get_current_timestamp",
        "getvariable",
        "in_search_path",
        "localtime",
        "localtimestamp",
        "nextval",
        "now",
        "pg_conf_load_time",
        "pg_postmaster_start_time",
        "random",
        "setseed",
        "setval",
        "sleep_ms",
        "stats",
        "today",
        "transaction_timestamp",
        "txid_current",
        "uuid",
        "uuidv4",
        "uuidv7",
        "vector_type",
        "write_log",
    }
)


def calls_unsteady_function(sql: str) -> bool:
    """Whether a text may call one of them. True too often rather than too seldom: a column may be called so."""
    return any(lexeme.identifier.lower() in _FUNCTIONS for lexeme in significant(sql))


_WORDS = frozenset({"CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIMESTAMP", "LOCALTIME", "LOCALTIMESTAMP"})


def unsteady_call(lexemes: Sequence[Lexeme]) -> Lexeme | None:
    """The first lexeme that calls one of them for certain."""
    for index, lexeme in enumerate(lexemes):
        called = index + 1 < len(lexemes) and lexemes[index + 1].text == "("
        if called and lexeme.identifier.lower() in _FUNCTIONS and lexeme.kind is not Kind.STRING:
            return lexeme
        if lexeme.upper in _WORDS:
            return lexeme
    return None
