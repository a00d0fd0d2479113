"""Our own clauses of CREATE TABLE, cut out of the statement.

    CREATE TABLE t (…) SHARD BY HASH (k) [SHARDS n] | CONSISTENT HASH (k) [SHARDS n]
                     | RANGE (k) (VALUES LESS THAN (10), …, MAXVALUE)
                     | DIRECTORY (k) (SHARD 0 VALUES ('a', 'b'), …, DEFAULT SHARD 3)
                     | EVENLY [SHARDS n]
                     [COLOCATE WITH other]
    CREATE TABLE t (…) REFERENCE
    … AS SELECT …

Promises: what is left of the statement is the user's own text, byte for byte, and valid DuckDB. Values inside the
clauses are returned as SQL text, for DuckDB to evaluate.
Leaves to others: what the clauses mean for a table of these columns (`catalog/definition.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import NotSupportedError, ProgrammingError
from .lexer import Kind, Lexeme, matching_parenthesis, significant
from .names import name_at

_CLAUSE_STARTS = frozenset({"SHARD", "SHARDS", "COLOCATE", "REPLICAS", "REPLICATION", "REFERENCE"})


@dataclass(frozen=True, slots=True)
class DirectoryEntry:
    """`SHARD n VALUES (…)`: the values, as SQL expressions, that live on shard n."""

    shard: int
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ShardClause:
    """What the clauses say. kind is None if only COLOCATE or SHARDS was given.

    bounds: per range but a last MAXVALUE one, the tuple of SQL expressions of its upper bound.
    """

    kind: str | None = None
    columns: tuple[str, ...] = ()
    shards: int | None = None
    bounds: tuple[tuple[str, ...], ...] = ()
    has_maxvalue: bool = False
    entries: tuple[DirectoryEntry, ...] = ()
    default_shard: int | None = None
    colocate_with: tuple[str, ...] | None = None
    position: int = 1


@dataclass(frozen=True, slots=True)
class CreateTable:
    """A CREATE TABLE taken apart.

    name: one to three parts. columns_sql: the parenthesis with columns and constraints, or an empty string; it starts
    at columns_start. query: the text behind AS, or None; it starts at query_start. with_data: False for WITH NO DATA.
    """

    or_replace: bool
    temporary: bool
    if_not_exists: bool
    name: tuple[str, ...]
    columns_sql: str
    columns_start: int
    query: str | None
    query_start: int
    with_data: bool
    clause: ShardClause


def parse_create_table(text: str) -> CreateTable:
    """Take apart a statement that `classify` found to be CREATE TABLE. Raises ProgrammingError 42601."""
    return _Parser(text).create_table()


class _Parser:
    """A cursor over the lexemes of one statement."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.lexemes = significant(text)
        self.index = 0

    @property
    def current(self) -> Lexeme:
        if self.index < len(self.lexemes):
            return self.lexemes[self.index]
        return Lexeme(Kind.SYMBOL, "", len(self.text))

    def fail(self, wanted: str) -> ProgrammingError:
        found = f'"{self.current.text}"' if self.current.text else "end of input"
        return ProgrammingError(
            f"syntax error at {found}: expected {wanted}", sqlstate="42601", position=self.current.start + 1
        )

    def accept(self, *words: str) -> bool:
        """Step over these words (or symbols) if they come next."""
        for offset, word in enumerate(words):
            at = self.index + offset
            if at >= len(self.lexemes):
                return False
            lexeme = self.lexemes[at]
            if lexeme.upper != word and not (lexeme.kind is Kind.SYMBOL and lexeme.text == word):
                return False
        self.index += len(words)
        return True

    def expect(self, *words: str) -> None:
        for word in words:
            if not self.accept(word):
                raise self.fail(word)

    def identifier(self) -> str:
        lexeme = self.current
        if lexeme.kind not in (Kind.WORD, Kind.QUOTED):
            raise self.fail("a name")
        self.index += 1
        return lexeme.identifier

    def number(self) -> int:
        lexeme = self.current
        if lexeme.kind is not Kind.NUMBER or not lexeme.text.isdigit():
            raise self.fail("a whole number")
        self.index += 1
        return int(lexeme.text)

    def qualified_name(self) -> tuple[str, ...]:
        found = name_at(self.lexemes, self.index)
        if found is None:
            raise self.fail("a name")
        parts, self.index = found
        return parts

    def key_columns(self) -> tuple[str, ...]:
        """The parenthesis with the columns of a shard key."""
        self.expect("(")
        names: list[str] = []
        while not names or self.accept(","):
            start = self.current
            if start.kind in (Kind.STRING, Kind.NUMBER) or start.text in ("(", "-"):
                raise _expression_as_key(start)
            names.append(self.identifier())
            if self.current.kind is Kind.SYMBOL and self.current.text not in (",", ")"):
                raise _expression_as_key(start)
        self.expect(")")
        return tuple(names)

    def expressions(self) -> tuple[str, ...]:
        """A parenthesis of SQL expressions parted by commas, each as its text."""
        closing = matching_parenthesis(self.lexemes, self.index) if self.current.text == "(" else None
        if closing is None:
            raise self.fail("a list of values in parentheses")
        found: list[str] = []
        depth, start = 0, self.current.end
        for lexeme in self.lexemes[self.index : closing + 1]:
            symbol = lexeme.text if lexeme.kind is Kind.SYMBOL else ""
            depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(symbol, 0)
            if (symbol == "," and depth == 1) or lexeme is self.lexemes[closing]:
                found.append(self.text[start : lexeme.start].strip())
                start = lexeme.end
        self.index = closing + 1
        if not all(found):
            raise self.fail("a value")
        return tuple(found)

    def create_table(self) -> CreateTable:
        self.expect("CREATE")
        or_replace = self.accept("OR", "REPLACE")
        temporary = self.accept("TEMP") or self.accept("TEMPORARY")
        self.expect("TABLE")
        at = self.current.start + 1
        if_not_exists = self.accept("IF", "NOT", "EXISTS")
        if or_replace and if_not_exists:
            raise ProgrammingError(
                "Cannot specify both OR REPLACE and IF NOT EXISTS within single create statement",
                sqlstate="42601",
                position=at,
            )
        name = self.qualified_name()
        columns_sql, columns_start = "", self.current.start
        if self.current.text == "(":
            closing = matching_parenthesis(self.lexemes, self.index)
            if closing is None:
                raise ProgrammingError(
                    "syntax error: this parenthesis is never closed",
                    sqlstate="42601",
                    position=self.current.start + 1,
                )
            columns_sql = self.text[columns_start : self.lexemes[closing].end]
            self.index = closing + 1
        clause = self.clauses()
        query, query_start, with_data = None, 0, True
        if self.accept("AS"):
            query_start = self.current.start
            query, with_data = self.query()
        elif self.current.text:
            raise self.fail("SHARD BY, REFERENCE, COLOCATE WITH, AS or the end of the statement")
        return CreateTable(
            or_replace,
            temporary,
            if_not_exists,
            name,
            columns_sql,
            columns_start,
            query,
            query_start,
            with_data,
            clause,
        )

    def query(self) -> tuple[str, bool]:
        """The text behind AS without a WITH [NO] DATA at its end, and whether its rows are wanted."""
        rest = self.lexemes[self.index :]
        words = [lexeme.upper for lexeme in rest[-3:]]
        with_data = True
        if words == ["WITH", "NO", "DATA"]:
            rest, with_data = rest[:-3], False
        elif words[-2:] == ["WITH", "DATA"]:
            rest = rest[:-2]
        if not rest:
            raise self.fail("a query")
        return self.text[rest[0].start : rest[-1].end], with_data

    def clauses(self) -> ShardClause:
        fields: dict[str, object] = {"position": self.current.start + 1}
        while (word := self.current.upper) in _CLAUSE_STARTS:
            at = self.current.start + 1
            self.index += 1
            before = dict(fields)
            self.clause(word, fields, at)
            repeated = [name for name in before if name != "position" and before[name] != fields[name]]
            if repeated:
                raise ProgrammingError(f"{word} is given twice", sqlstate="42601", position=at)
        return ShardClause(**fields)  # type: ignore[arg-type]

    def clause(self, word: str, fields: dict[str, object], position: int) -> None:
        """Read one clause behind its first word into `fields`."""
        if word == "SHARD":
            self.expect("BY")
            self.shard_by(fields)
        elif word == "SHARDS":
            fields["shards"] = self.number()
        elif word == "REFERENCE":
            fields["kind"] = "reference"
        elif word == "COLOCATE":
            self.expect("WITH")
            fields["colocate_with"] = self.qualified_name()
        else:
            raise NotSupportedError(
                f"{word} needs a cluster of nodes; this database has one",
                hint=f"Leave the {word} clause out.",
                position=position,
            )

    def shard_by(self, fields: dict[str, object]) -> None:
        if self.accept("HASH"):
            fields.update(kind="hash", columns=self.key_columns())
        elif self.accept("CONSISTENT", "HASH"):
            fields.update(kind="consistent hash", columns=self.key_columns())
        elif self.accept("RANGE"):
            fields.update(kind="range", columns=self.key_columns())
            self.range_bounds(fields)
        elif self.accept("DIRECTORY"):
            fields.update(kind="directory", columns=self.key_columns())
            self.directory_entries(fields)
        elif self.accept("EVENLY"):
            fields.update(kind="spread")
        else:
            raise self.fail("HASH, CONSISTENT HASH, RANGE, DIRECTORY or EVENLY")

    def range_bounds(self, fields: dict[str, object]) -> None:
        """`(VALUES LESS THAN (10), (20), VALUES LESS THAN (30), MAXVALUE)`: the words may be left out."""
        self.expect("(")
        bounds: list[tuple[str, ...]] = []
        while True:
            self.accept("VALUES", "LESS", "THAN")
            if self.accept("MAXVALUE") or self.accept("(", "MAXVALUE", ")"):
                fields["has_maxvalue"] = True
                break
            bounds.append(self.expressions())
            if not self.accept(","):
                break
        self.expect(")")
        fields["bounds"] = tuple(bounds)

    def directory_entries(self, fields: dict[str, object]) -> None:
        self.expect("(")
        entries: list[DirectoryEntry] = []
        while True:
            if self.accept("DEFAULT"):
                self.expect("SHARD")
                fields["default_shard"] = self.number()
            else:
                self.expect("SHARD")
                shard = self.number()
                self.expect("VALUES")
                entries.append(DirectoryEntry(shard, self.expressions()))
            if not self.accept(","):
                break
        self.expect(")")
        fields["entries"] = tuple(entries)


def _expression_as_key(start: Lexeme) -> NotSupportedError:
    return NotSupportedError(
        "a shard key is made of columns: a row is found again by values that are stored, not by an expression, which "
        "may have another value each time",
        hint="Put the value into a column of its own when the row is inserted, and shard by that column.",
        position=start.start + 1,
    )
