"""The one adapter to DuckDB's client: opening instances, running statements, turning its exceptions into ours.

Promises: every exception of DuckDB leaves here as an `errors.Error` with an SQLSTATE, DuckDB's own message and, where
DuckDB tells it, the position in the statement.
Leaves to others: which statement to run where (`executor`), files and their names (`directory.py`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import duckdb

from .. import errors
from ..types import Parameters
from . import interruption

if TYPE_CHECKING:
    import pyarrow as pa

_T = TypeVar("_T")

Connection: TypeAlias = duckdb.DuckDBPyConnection
"""A connection of DuckDB's client; one thread at a time may use it."""

Statement: TypeAlias = duckdb.Statement
"""A statement that DuckDB's parser has read: any connection can run it, any number of times."""

Value: TypeAlias = duckdb.Value
"""A parameter with a DuckDB type of its own: see `typed_value`."""


def open_instance(threads: int | None = None, memory_limit: str | None = None) -> Connection:
    """A new DuckDB instance in memory: the gateway, to which shards are attached.

    threads: how many it may use; None for DuckDB's choice. memory_limit: such as `4GB`; None for DuckDB's choice.
    """
    settings: dict[str, Any] = {"errors_as_json": True}
    if threads is not None:
        settings["threads"] = threads
    if memory_limit is not None:
        settings["memory_limit"] = memory_limit
    try:
        connection = duckdb.connect(":memory:", config=settings)
        # Rows travel between DuckDB's as Arrow: every type must come back as it was.
        connection.execute("SET GLOBAL arrow_lossless_conversion = true")
        # With 1.5 decimals are as wide as DuckDB has them, and strings travel as views.
        connection.execute("SET GLOBAL arrow_output_version = '1.5'")
        connection.execute("SET GLOBAL produce_arrow_string_view = true")
        # A checkpoint that DuckDB writes when it commits would have what the shard's log may not have on the disk yet.
        connection.execute("SET GLOBAL checkpoint_threshold = '1TB'")
        # A table's name means a table, never a variable of the code that runs the statement.
        connection.execute("SET GLOBAL python_enable_replacements = false")
    except duckdb.Error as error:
        raise translate(error) from None
    return connection


def execute(
    connection: Connection, sql: str, parameters: Parameters = None, parsed: Statement | None = None
) -> Connection:
    """Run one statement on `connection`; its rows wait there. parsed: `sql`, parsed before. Raises errors.Error."""
    statement = parsed or sql
    try:
        return (
            connection.execute(statement) if parameters is None else connection.execute(statement, parameters)
        )
    except duckdb.Error as error:
        raise translate(error, sql) from None


def typed_value(value: Any, kind: str) -> Value:
    """A parameter with a type. kind: as DuckDB writes it, such as `UTINYINT`."""
    return duckdb.Value(value, duckdb.sqltype(kind))


def parse(connection: Connection, sql: str) -> Statement | None:
    """What DuckDB's parser reads in `sql`; None if it makes more than one statement of it. Raises errors.Error."""
    try:
        statements = connection.extract_statements(sql)
    except duckdb.Error as error:
        raise translate(error, sql) from None
    return statements[0] if len(statements) == 1 else None


def clean_up(connection: Connection, sql: str) -> None:
    """Run a statement that takes away what another one left, even if that was cancelled. Raises errors.Error."""
    with interruption.undisturbed():
        execute(connection, sql)


def execute_many(connection: Connection, sql: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Run one statement once per row of parameters. Raises errors.Error."""
    try:
        connection.executemany(sql, rows)
    except duckdb.Error as error:
        raise translate(error, sql) from None


def rows(connection: Connection, sql: str, parameters: Parameters = None) -> list[tuple[Any, ...]]:
    """Run one statement and return all its rows. Raises errors.Error."""
    try:
        return execute(connection, sql, parameters).fetchall()
    except duckdb.Error as error:
        raise translate(error, sql) from None


@contextmanager
def unordered(connection: Connection) -> Iterator[None]:
    """While the block runs, rows inserted from a stream need not keep its order; then the setting is as it was.

    Measured on lineitem: with the order kept, loading four shards takes 2.4 s of CPU time more, of 8.7 s. The setting
    is the instance's, so other statements without an ORDER BY may meanwhile see rows in another order too.
    """
    # A cursor of its own: the connection may be in the middle of a result.
    beside = connection.cursor()
    before = rows(beside, "SELECT current_setting('preserve_insertion_order')")[0][0]
    execute(beside, "SET GLOBAL preserve_insertion_order = false")
    try:
        yield
    finally:
        clean_up(beside, f"SET GLOBAL preserve_insertion_order = {str(before).lower()}")
        beside.close()


def arrow_stream(
    connection: Connection, sql: str, parameters: Parameters, batch_rows: int
) -> Generator[pa.RecordBatch, None, None]:
    """The rows of a query as an Arrow stream of batches of about `batch_rows`. Raises errors.Error."""
    import pyarrow as pa

    interruption.check()
    try:
        relation = connection.sql(sql) if parameters is None else connection.sql(sql, params=parameters)
        yield from relation.to_arrow_reader(batch_rows)
    except duckdb.Error as error:
        raise translate(error, sql) from None
    except (OSError, pa.ArrowException) as error:
        # Arrow passes DuckDB's exceptions on as its own; the kind is in the text.
        raise _translated(_class_named_in(str(error)), str(error), sql) from None


def interrupt(connection: Connection) -> None:
    """Stop what the connection is doing; one that is closed does nothing. May be called from any thread."""
    with suppress(duckdb.ConnectionException):
        connection.interrupt()


def abandon(connection: Connection) -> None:
    """Give up the rows of the last statement that were not fetched. DuckDB registers nothing beside them."""
    guarded(connection.abort)


def arrow_schema(connection: Connection, sql: str, parameters: Parameters) -> pa.Schema:
    """The schema that `arrow_stream` of this query would have. Raises errors.Error."""
    sql = f"SELECT * FROM ({sql}) LIMIT 0"
    try:
        relation = connection.sql(sql) if parameters is None else connection.sql(sql, params=parameters)
        return relation.to_arrow_reader().schema
    except duckdb.Error as error:
        raise translate(error, sql) from None


def guarded(call: Callable[[], _T], sql: str = "") -> _T:
    """What `call` returns; an exception of DuckDB inside it becomes an errors.Error. sql: the statement, if known."""
    try:
        return call()
    except duckdb.Error as error:
        raise translate(error, sql) from None
    except OSError as error:
        # An Arrow stream passes the text of DuckDB's exception on, but not its class.
        kind = _class_named_in(str(error))
        if kind is duckdb.Error:
            raise
        raise _translated(kind, str(error), sql) from None


_BY_CLASS: tuple[tuple[type[duckdb.Error], type[errors.Error], str], ...] = (
    (duckdb.ParserException, errors.ProgrammingError, "42601"),
    (duckdb.SyntaxException, errors.ProgrammingError, "42601"),
    (duckdb.CatalogException, errors.ProgrammingError, "42704"),
    (duckdb.BinderException, errors.ProgrammingError, "42000"),
    (duckdb.ConversionException, errors.DataError, "22P02"),
    (duckdb.OutOfRangeException, errors.DataError, "22003"),
    (duckdb.TypeMismatchException, errors.DataError, "42804"),
    (duckdb.ConstraintException, errors.IntegrityError, "23000"),
    (duckdb.InterruptException, errors.QueryCanceledError, "57014"),
    (duckdb.TransactionException, errors.OperationalError, "40001"),
    (duckdb.OutOfMemoryException, errors.OperationalError, "53200"),
    (duckdb.PermissionException, errors.OperationalError, "42501"),
    (duckdb.IOException, errors.OperationalError, "58030"),
    (duckdb.DependencyException, errors.ProgrammingError, "2BP01"),
    (duckdb.NotImplementedException, errors.NotSupportedError, "0A000"),
    (duckdb.InvalidInputException, errors.ProgrammingError, "22023"),
    (duckdb.InvalidTypeException, errors.ProgrammingError, "42804"),
    (duckdb.SequenceException, errors.DataError, "2200H"),
    (duckdb.FatalException, errors.InternalError, "XX000"),
    (duckdb.InternalException, errors.InternalError, "XX000"),
)

_INVALIDATED = "has been invalidated"

_BY_MESSAGE: tuple[tuple[str, str], ...] = (
    ("53100", r"^failed to offload data block|No space left on device|Disk quota exceeded"),
    ("58030", _INVALIDATED),
    ("42P01", r'^(?:Table|View) with name .* does not exist|^Referenced table "|^Catalog "'),
    (
        "42P07",
        r"^(?:Table|View|Index|Sequence) with name .* already exists|^Could not rename .* already exists",
    ),
    ("42723", r"^(?:Macro|Scalar|Table|Aggregate).* Function with name .* already exists"),
    ("42P06", r"^Schema with name .* already exists"),
    ("42701", r"^Column with name .* already exists"),
    ("42710", r"^.* with name .* already exists"),
    ("3F000", r"^Schema with name .* does not exist|schema .* does not exist"),
    (
        "42883",
        r"Function with name .* does not exist|^No function matches|^Could not choose a best candidate",
    ),
    ("42702", r'^Ambiguous reference to column name|^column reference ".*" is ambiguous'),
    ("42703", r'^Referenced (?:update )?column "?|does not have a column (?:named|with name)'),
    ("42703", r'^Column ".*" (?:does not exist|referenced)'),
    ("42601", r"^table .* has \d+ columns but"),
    ("42803", r"must appear in the GROUP BY clause|^aggregate function"),
    ("42803", r"^(?:WHERE|GROUP BY) clause cannot contain"),
    ("42P20", r"window functions? (?:are not allowed|calls cannot)"),
    ("22008", r"^(?:date|timestamp|time) field value out of range"),
    ("22003", r"out of range|bignum too large"),
    ("22012", r"division by zero"),
    ("22007", r"^(?:date|timestamp|time) field value|invalid (?:date|timestamp) field"),
    ("23502", r"^NOT NULL constraint failed"),
    ("23505", r"duplicate key|^Data contains duplicates on indexed column|^PRIMARY KEY or UNIQUE constraint"),
    ("23505", r"violates (?:primary key|unique) constraint"),
    ("23514", r"^CHECK constraint failed"),
    ("23503", r"foreign key constraint"),
    ("25P02", r"transaction is aborted"),
    ("25001", r"cannot start a transaction within a transaction"),
    ("25P01", r"no transaction is active"),
)
_SQLSTATES = tuple((state, re.compile(pattern, re.IGNORECASE)) for state, pattern in _BY_MESSAGE)

_LEADING_KIND = re.compile(r"^([A-Z][A-Za-z ]+) Error: ")


def translate(error: duckdb.Error, sql: str = "") -> errors.Error:
    """Our error for one of DuckDB's: same message, with SQLSTATE, position in `sql` (if given) and retryable."""
    return _translated(type(error), str(error), sql)


def _translated(duck_class: type[duckdb.Error], text: str, sql: str) -> errors.Error:
    if issubclass(duck_class, duckdb.InterruptException) and (why := interruption.notice()) is not None:
        return why
    message, byte_offset = _message_and_offset(text)
    position = None
    if byte_offset is not None and sql:
        position = len(sql.encode()[:byte_offset].decode(errors="ignore")) + 1
    kind: type[errors.Error] = errors.DatabaseError
    sqlstate = "XX000"
    for known_class, our_class, state in _BY_CLASS:
        if issubclass(duck_class, known_class):
            kind, sqlstate = our_class, state
            break
    if kind is not errors.InternalError and sqlstate != "42601":
        for state, pattern in _SQLSTATES:
            if pattern.search(message):
                sqlstate = state
                break
    hint = "Free some space on this disk and try again." if sqlstate == "53100" else None
    if _INVALIDATED in message:
        hint = "Check the disk and the space on it, then open the database again: what was committed is in the logs."
    return kind(message, sqlstate=sqlstate, hint=hint, position=position, retryable=sqlstate == "40001")


def is_invalidated(error: errors.Error) -> bool:
    """Whether DuckDB does not let a database be used any more, after a checkpoint that it could not write."""
    return _INVALIDATED in error.message


def _class_named_in(text: str) -> type[duckdb.Error]:
    """The class of the exception whose kind DuckDB's text names, such as `Out of Range Error: …`."""
    name = text.partition(" Error: ")[0].replace(" ", "").lower() + "exception"
    return next((known for known, _, _ in _BY_CLASS if known.__name__.lower() == name), duckdb.Error)


def _message_and_offset(text: str) -> tuple[str, int | None]:
    """The message for a person, and the offset in UTF-8 bytes, out of what DuckDB gave (see `errors_as_json`)."""
    text = _LEADING_KIND.sub("", text, count=1)
    if not text.startswith("{"):
        return text.strip(), None
    try:
        fields = json.loads(text)
    except ValueError:
        return text, None
    position = fields.get("position")
    return str(fields.get("exception_message", text)).strip(), int(position) if position is not None else None
