"""What kind of statement a text is, told from its first lexemes.

Promises: every text gets exactly one `StatementKind`; nothing is executed and nothing has to parse. A WITH is followed
to the statement behind it. A parenthesis or an unknown first word counts as a query, so that DuckDB judges it.
Leaves to others: the grammar behind the first words.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from .advisory import may_be_advisory
from .lexer import Kind, Lexeme, matching_parenthesis, significant
from .locking import may_lock_rows


class StatementKind(StrEnum):
    """The kinds that take different roads through the engine."""

    QUERY = "query"
    EXPLAIN = "explain"
    EXPLAIN_ROUTE = "explain route"
    SHOW_CATALOG = "show catalog"
    INSERT = "insert"
    UPDATE = "update"
    DELETE = "delete"
    MERGE = "merge"
    TRUNCATE = "truncate"
    COPY_FROM = "copy from"
    COPY_TO = "copy to"
    CREATE_TABLE = "create table"
    CREATE_DEFINITION = "create definition"
    CREATE_INDEX = "create index"
    CREATE_SEQUENCE = "create sequence"
    DROP = "drop"
    ALTER = "alter"
    COMMENT = "comment"
    TRANSACTION = "transaction"
    SETTING = "setting"
    PREPARED = "prepared"
    FILES = "files"
    ATTACHMENT = "attachment"
    CHECKPOINT = "checkpoint"
    LOCK = "lock"
    ADVISORY = "advisory"
    ROW_LOCKS = "row locks"
    KILL = "kill"
    EMPTY = "empty"


@dataclass(frozen=True, slots=True)
class Classified:
    """A kind, and where the words that gave it end.

    object_kind: for CREATE and DROP what it is about (`TABLE`, `VIEW`, `MACRO`, …).
    body_start: offset of the statement behind EXPLAIN or SHOW; 0 for the others. analyze: EXPLAIN ANALYZE.
    temporary, or_replace: modifiers of CREATE. if_exists: IF EXISTS of DROP, IF NOT EXISTS of CREATE.
    """

    kind: StatementKind
    object_kind: str = ""
    body_start: int = 0
    analyze: bool = False
    temporary: bool = False
    or_replace: bool = False
    if_exists: bool = False


_SIMPLE = {
    "UPDATE": StatementKind.UPDATE,
    "DELETE": StatementKind.DELETE,
    "MERGE": StatementKind.MERGE,
    "INSERT": StatementKind.INSERT,
    "TRUNCATE": StatementKind.TRUNCATE,
    "ALTER": StatementKind.ALTER,
    "COMMENT": StatementKind.COMMENT,
    "BEGIN": StatementKind.TRANSACTION,
    "START": StatementKind.TRANSACTION,
    "COMMIT": StatementKind.TRANSACTION,
    "END": StatementKind.TRANSACTION,
    "ROLLBACK": StatementKind.TRANSACTION,
    "ABORT": StatementKind.TRANSACTION,
    "SAVEPOINT": StatementKind.TRANSACTION,
    "RELEASE": StatementKind.TRANSACTION,
    "RESET": StatementKind.SETTING,
    "PRAGMA": StatementKind.SETTING,
    "USE": StatementKind.SETTING,
    "EXECUTE": StatementKind.PREPARED,
    "DEALLOCATE": StatementKind.PREPARED,
    "EXPORT": StatementKind.FILES,
    "IMPORT": StatementKind.FILES,
    "ATTACH": StatementKind.ATTACHMENT,
    "DETACH": StatementKind.ATTACHMENT,
    "INSTALL": StatementKind.SETTING,
    "LOAD": StatementKind.SETTING,
    "CHECKPOINT": StatementKind.CHECKPOINT,
    "VACUUM": StatementKind.CHECKPOINT,
    "ANALYZE": StatementKind.CHECKPOINT,
    "FORCE": StatementKind.CHECKPOINT,
    "LOCK": StatementKind.LOCK,
    "UNLOCK": StatementKind.LOCK,
    "KILL": StatementKind.KILL,
}

_BEHIND_WITH = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE"})
_CREATE_MODIFIERS = frozenset({"OR", "REPLACE", "TEMP", "TEMPORARY", "UNIQUE", "PERSISTENT", "RECURSIVE"})
_DEFINITIONS = frozenset({"VIEW", "MACRO", "FUNCTION", "TYPE", "SCHEMA"})
_CATALOG_LISTS = frozenset({"TABLES", "SHARDS", "NODES", "TRANSACTIONS", "LOCKS", "DEADLOCKS"})


_CHANGE = re.compile(r"\s*(?:insert|update|delete)\s", re.IGNORECASE)


def begins_as_write(text: str) -> bool:
    """Whether a text is an INSERT, UPDATE or DELETE without a WITH or a comment before it. Costs next to nothing."""
    return _CHANGE.match(text) is not None


def classify(text: str) -> Classified:
    """The kind of the one statement in `text`."""
    lexemes = significant(text)
    if not lexemes or all(lexeme.text == ";" for lexeme in lexemes):
        return Classified(StatementKind.EMPTY)
    first = lexemes[0].upper
    if first in _SIMPLE:
        return Classified(_SIMPLE[first])
    special = {
        "WITH": _classify_with,
        "EXPLAIN": _classify_explain,
        "SHOW": _classify_show,
        "COPY": _classify_copy,
        "CREATE": _classify_create,
        "DROP": _classify_drop,
        "SET": _classify_set,
        "PREPARE": _classify_prepare,
    }.get(first)
    found = special(lexemes) if special is not None else Classified(StatementKind.QUERY)
    return Classified(_kind_of_query(text)) if found.kind is StatementKind.QUERY else found


def _kind_of_query(text: str) -> StatementKind:
    """A query, or one that may take locks: whoever runs it looks closer."""
    if may_be_advisory(text):
        return StatementKind.ADVISORY
    return StatementKind.ROW_LOCKS if may_lock_rows(text) else StatementKind.QUERY


def _classify_with(lexemes: list[Lexeme]) -> Classified:
    """A WITH is what follows its common table expressions."""
    index = 1
    while index < len(lexemes):
        if lexemes[index].text == "(" and lexemes[index].kind is Kind.SYMBOL:
            closing = matching_parenthesis(lexemes, index)
            index = len(lexemes) if closing is None else closing + 1
            continue
        if lexemes[index].upper in _BEHIND_WITH:
            return Classified(_SIMPLE[lexemes[index].upper])
        index += 1
    return Classified(StatementKind.QUERY)


def _classify_explain(lexemes: list[Lexeme]) -> Classified:
    index, analyze = 1, False
    if index < len(lexemes) and lexemes[index].upper == "ROUTE":
        start = lexemes[index + 1].start if len(lexemes) > index + 1 else lexemes[index].end
        return Classified(StatementKind.EXPLAIN_ROUTE, body_start=start)
    if index < len(lexemes) and lexemes[index].upper == "ANALYZE":
        index, analyze = index + 1, True
    start = lexemes[index].start if index < len(lexemes) else lexemes[index - 1].end
    return Classified(StatementKind.EXPLAIN, body_start=start, analyze=analyze)


def _classify_show(lexemes: list[Lexeme]) -> Classified:
    in_schema = len(lexemes) > 2 and lexemes[2].upper in (
        "FROM",
        "IN",
    )  # DuckDB lists the tables of one schema.
    if len(lexemes) > 1 and lexemes[1].upper in _CATALOG_LISTS and not in_schema:
        return Classified(
            StatementKind.SHOW_CATALOG, object_kind=lexemes[1].text.lower(), body_start=lexemes[1].end
        )
    return Classified(StatementKind.QUERY)


def _classify_copy(lexemes: list[Lexeme]) -> Classified:
    if [lexeme.upper for lexeme in lexemes[1:3]] == ["FROM", "DATABASE"]:
        return Classified(StatementKind.FILES)
    index = 1
    while index < len(lexemes):
        if lexemes[index].text == "(" and lexemes[index].kind is Kind.SYMBOL:
            closing = matching_parenthesis(lexemes, index)
            index = len(lexemes) if closing is None else closing + 1
            continue
        if lexemes[index].upper == "FROM":
            return Classified(StatementKind.COPY_FROM)
        if lexemes[index].upper == "TO":
            return Classified(StatementKind.COPY_TO)
        index += 1
    return Classified(StatementKind.COPY_TO)


def _classify_create(lexemes: list[Lexeme]) -> Classified:
    index = 1
    modifiers: set[str] = set()
    while index < len(lexemes) and lexemes[index].upper in _CREATE_MODIFIERS:
        modifiers.add(lexemes[index].upper)
        index += 1
    word = lexemes[index].upper if index < len(lexemes) else ""
    temporary = bool(modifiers & {"TEMP", "TEMPORARY"})
    kind = {
        "TABLE": StatementKind.CREATE_TABLE,
        "INDEX": StatementKind.CREATE_INDEX,
        "SEQUENCE": StatementKind.CREATE_SEQUENCE,
    }.get(word)
    if kind is None:
        # Also what DuckDB alone knows how to refuse (a misspelt CREATE) goes to the gateway.
        kind = StatementKind.CREATE_DEFINITION if word in _DEFINITIONS else StatementKind.QUERY
    return Classified(
        kind,
        object_kind=word,
        temporary=temporary,
        or_replace="REPLACE" in modifiers,
        if_exists=_if_exists(lexemes, index + 1),
    )


def _classify_drop(lexemes: list[Lexeme]) -> Classified:
    if len(lexemes) > 2 and lexemes[1].upper in ("MACRO", "FUNCTION") and lexemes[2].upper == "TABLE":
        return Classified(StatementKind.DROP, object_kind="MACRO TABLE", if_exists=_if_exists(lexemes, 3))
    word = lexemes[1].upper if len(lexemes) > 1 else ""
    return Classified(StatementKind.DROP, object_kind=word, if_exists=_if_exists(lexemes, 2))


def _classify_set(lexemes: list[Lexeme]) -> Classified:
    """SET TRANSACTION and SET SESSION CHARACTERISTICS are no settings, but a variable may be called so."""
    words = [lexeme.upper for lexeme in lexemes[1:3]]
    if words == ["SESSION", "CHARACTERISTICS"] or (words[:1] == ["TRANSACTION"] and words[1:] != [""]):
        return Classified(StatementKind.TRANSACTION)
    return Classified(StatementKind.SETTING)


def _classify_prepare(lexemes: list[Lexeme]) -> Classified:
    """PREPARE TRANSACTION 'name' is no prepared statement."""
    is_transaction = len(lexemes) > 2 and lexemes[1].upper == "TRANSACTION" and lexemes[2].kind is Kind.STRING
    return Classified(StatementKind.TRANSACTION if is_transaction else StatementKind.PREPARED)


def _if_exists(lexemes: list[Lexeme], index: int) -> bool:
    words = [lexeme.upper for lexeme in lexemes[index : index + 3]]
    return words[:2] == ["IF", "EXISTS"] or words == ["IF", "NOT", "EXISTS"]
