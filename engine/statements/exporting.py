"""EXPORT DATABASE, IMPORT DATABASE, COPY FROM DATABASE: a whole database as a directory, or in another one.

A directory is what DuckDB's EXPORT writes, and any DuckDB can import it: `schema.sql`, `load.sql`, one file a table.
How a table is sharded stands in `schema.sql` as a comment behind its columns, which only our IMPORT reads.
Promises: an export has all rows as of one moment. What a DuckDB exported is imported too; its tables are sharded as if
CREATE TABLE said nothing about it. An import that fails leaves what it had made, as DuckDB's does.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path, PurePath

from ..errors import DataError, Error, NotSupportedError, OperationalError, ProgrammingError
from ..executor.composed import at_position
from ..executor.gateway import HOME
from ..executor.outline import NAME, comments, outline, scratch
from ..executor.reading.result import Result
from ..sql.classify import Classified, StatementKind, classify
from ..sql.insert import CopyParts, parse_copy
from ..sql.lexer import Kind, Lexeme, matching_parenthesis, significant
from ..sql.names import object_name
from ..sql.split import split_script
from ..storage import duck
from ..types import Parameters, quote_identifier, quote_string
from .context import Context

_SCHEMA, _LOAD = "schema.sql", "load.sql"
_CLAUSE = re.compile(r"/\*\s*duckraft:\s*(.*?)\s*\*/", re.DOTALL)


def transfer(context: Context, sql: str, parameters: Parameters, _: Classified) -> Result:
    """EXPORT DATABASE, IMPORT DATABASE, COPY FROM DATABASE. Raises errors.Error."""
    if parameters is not None:
        raise ProgrammingError("this statement takes no parameters", sqlstate="42P02")
    lexemes = significant(sql)
    if context.connections.transactions.explicit is not None:
        raise NotSupportedError(
            f"{lexemes[0].upper} cannot be used inside a transaction",
            sqlstate="25001",
            hint="COMMIT or ROLLBACK first: it is no part of a transaction.",
        )
    match lexemes[0].upper:
        case "EXPORT":
            return _export(context, sql, lexemes)
        case "IMPORT":
            return _import(context, sql, lexemes)
        case _:
            return _copy(context, sql, lexemes)


def pragma(context: Context, lexemes: list[Lexeme]) -> Result | None:
    """PRAGMA import_database and copy_database, which are IMPORT and COPY FROM DATABASE; None for another PRAGMA."""
    name = lexemes[1].identifier.lower() if len(lexemes) > 1 else ""
    arguments = [lexeme for lexeme in lexemes[3:-1] if lexeme.text != ","]
    if name == "import_database" and len(arguments) == 1:
        text = f"IMPORT DATABASE {arguments[0].text}"
    elif name == "copy_database" and len(arguments) == 2:
        text = f"COPY FROM DATABASE {arguments[0].text} TO {arguments[1].text}"
    else:
        return None
    result = transfer(context, text, None, classify(text))
    result.tag = "PRAGMA"
    return result


def import_from(context: Context, directory: str) -> None:
    """Run what an export has in its `schema.sql` and `load.sql`. Raises errors.Error."""
    _run_schema(context, _text(context, directory, _SCHEMA))
    for statement in split_script(_text(context, directory, _LOAD)).all_statements():
        parts = parse_copy(statement.text)
        if parts is None:
            raise DataError(
                f"{_LOAD} has a statement that is no COPY … FROM: {statement.text}", sqlstate="22000"
            )
        # An export may have been moved since: its files are beside it, wherever they once were.
        file = quote_string(str(PurePath(directory) / PurePath(parts.file[1:-1].replace("''", "'")).name))
        _run(context, statement.text.replace(parts.file, file, 1))


def _export(context: Context, sql: str, lexemes: list[Lexeme]) -> Result:
    """EXPORT DATABASE [name TO] 'directory' [(options)]."""
    named = lexemes[2].identifier if len(lexemes) > 3 and lexemes[3].upper == "TO" else HOME
    at = 4 if len(lexemes) > 3 and lexemes[3].upper == "TO" else 2
    if named.lower() != HOME or at >= len(lexemes) or lexemes[at].kind is not Kind.STRING:
        duck.execute(context.connections.gateway, sql)
        return Result((), "EXPORT")
    directory = lexemes[at].text[1:-1].replace("''", "'")
    options = sql[lexemes[at].end :]
    with context.gateway.write_lock, outline(context.gateway) as (connection, missing):
        duck.execute(connection, f"EXPORT DATABASE {NAME} TO {lexemes[at].text}{options}")
        schema = _with_clauses(context, _text(context, directory, _SCHEMA))
        # A view that cannot be made now could not be made by the one who imports it either.
        left_out = "".join(
            f"/* names what is not there: {view.replace('*/', '* /')} */\n" for view in missing
        )
        said = "".join(f"{comment};\n" for comment in comments(context.gateway, connection))
        (Path(directory) / _SCHEMA).write_text(schema + said + left_out)
        context.connections.transactions.begin_snapshot(connection)
        for statement in split_script(_text(context, directory, _LOAD)).all_statements():
            _write_rows(connection, statement.text, _options(lexemes[at + 1 :], sql))
        duck.execute(connection, "COMMIT")
    return Result((), "EXPORT")


def _options(lexemes: list[Lexeme], sql: str) -> str:
    """The options of an EXPORT as those of COPY … TO: CSV has a header unless something else is said."""
    words = [lexeme.upper or lexeme.text.upper() for lexeme in lexemes]
    given = sql[lexemes[1].start : lexemes[-1].start] if len(lexemes) > 2 else "FORMAT csv"
    if "FORMAT" not in words and len(lexemes) > 2:
        given = f"FORMAT csv, {given}"
    is_csv = "FORMAT" not in words or words[words.index("FORMAT") + 1].strip("'") == "CSV"
    return f"({given}{', HEADER true' if is_csv and 'HEADER' not in words else ''})"


def _write_rows(connection: duck.Connection, load: str, options: str) -> None:
    """Write the rows of the table that a line of `load.sql` loads to the file that it names."""
    parts = parse_copy(load)
    if parts is not None:
        name = _home_of(parts)
        columns = ", ".join(map(quote_identifier, _columns(connection, name)))
        source = ".".join(map(quote_identifier, (HOME, *name)))
        duck.execute(connection, f"COPY (SELECT {columns} FROM {source}) TO {parts.file} {options}")


def _with_clauses(context: Context, schema: str) -> str:
    """`schema.sql` with the sharding of each table as a comment behind its columns."""
    lines: list[str] = []
    for statement in split_script(schema).all_statements():
        text = statement.text
        if classify(text).kind is StatementKind.CREATE_TABLE:
            table = context.gateway.find_table(object_name(text, "TABLE"))
            lexemes = significant(text)
            opening = next((at for at, lexeme in enumerate(lexemes) if lexeme.text == "("), None)
            closing = matching_parenthesis(lexemes, opening) if opening is not None else None
            if table is not None and closing is not None:
                end = lexemes[closing].end
                text = f"{text[:end]} /* duckraft: {table.strategy.clause()} */{text[end:]}"
        lines.append(f"{text};\n")
    return "".join(lines)


def _import(context: Context, sql: str, lexemes: list[Lexeme]) -> Result:
    """IMPORT DATABASE 'directory'."""
    if len(lexemes) != 3 or lexemes[2].kind is not Kind.STRING:
        duck.execute(context.connections.gateway, sql)  # DuckDB's own error.
        raise NotSupportedError("this form of IMPORT DATABASE is not supported")
    import_from(context, lexemes[2].text[1:-1].replace("''", "'"))
    return Result((), "IMPORT")


def _copy(context: Context, sql: str, lexemes: list[Lexeme]) -> Result:
    """COPY FROM DATABASE one TO other [(SCHEMA | DATA)]."""
    words = [lexeme.upper for lexeme in lexemes]
    if len(lexemes) not in (6, 9) or words[4] != "TO":
        duck.execute(context.connections.gateway, sql)
        return Result((), "COPY")
    source, target = lexemes[3].identifier, lexemes[5].identifier
    parts = {"SCHEMA", "DATA"} if len(lexemes) == 6 else {words[7]}
    if source.lower() == target.lower() or HOME not in (source.lower(), target.lower()):
        duck.execute(context.connections.gateway, sql)
    elif source.lower() == HOME:
        _copy_out(context, target, parts)
    else:
        _copy_in(context, source, parts)
    return Result((), "COPY")


def _copy_out(context: Context, target: str, parts: set[str]) -> None:
    """Everything of ours into an attached database, all or nothing."""
    with context.gateway.write_lock, outline(context.gateway) as (connection, _):
        names = _tables(connection)
        context.connections.transactions.begin_snapshot(connection)
        try:
            if "SCHEMA" in parts:
                duck.execute(connection, f"COPY FROM DATABASE {NAME} TO {quote_identifier(target)} (SCHEMA)")
            if "DATA" in parts:
                for name in names:
                    duck.execute(connection, _insert(connection, name, (target, *name), (HOME, *name)))
        except BaseException:
            duck.execute(connection, "ROLLBACK")
            raise
        duck.execute(connection, "COMMIT")


def _copy_in(context: Context, source: str, parts: set[str]) -> None:
    """Everything of an attached database into ours, statement by statement."""
    with scratch(context.gateway) as connection, tempfile.TemporaryDirectory() as directory:
        duck.execute(connection, f"COPY FROM DATABASE {quote_identifier(source)} TO {NAME} (SCHEMA)")
        duck.execute(connection, f"EXPORT DATABASE {NAME} TO {quote_string(directory)}")
        schema = (Path(directory) / _SCHEMA).read_text()
        inserts = [_insert(connection, name, name, (source, *name)) for name in _tables(connection)]
    if "SCHEMA" in parts:
        _run_schema(context, schema)
    if "DATA" in parts:
        for statement in inserts:
            _run(context, statement)


def _tables(connection: duck.Connection) -> list[tuple[str, str]]:
    """(schema, name) of the tables of the database that `connection` has attached, in an order in which foreign keys
    hold."""
    with tempfile.TemporaryDirectory() as directory:
        duck.execute(connection, f"EXPORT DATABASE {NAME} TO {quote_string(directory)}")
        load = (Path(directory) / _LOAD).read_text()
    parts = [parse_copy(statement.text) for statement in split_script(load).all_statements()]
    return [_home_of(one) for one in parts if one is not None]


def _home_of(parts: CopyParts) -> tuple[str, str]:
    """Schema and name of the table that a COPY names."""
    *before, name = parts.name
    return (before[0] if before else "main", name)


def _insert(
    connection: duck.Connection, name: tuple[str, str], target: tuple[str, ...], source: tuple[str, ...]
) -> str:
    """The INSERT of all rows of one table into another that is like it."""
    columns = ", ".join(quote_identifier(column) for column in _columns(connection, name))
    into, out_of = (".".join(map(quote_identifier, parts)) for parts in (target, source))
    return f"INSERT INTO {into} ({columns}) SELECT {columns} FROM {out_of}"


def _columns(connection: duck.Connection, name: tuple[str, str]) -> list[str]:
    """The columns of a table of the database that `connection` has attached, without those that are generated."""
    found = duck.rows(
        connection,
        "SELECT column_name FROM system.main.duckdb_columns() WHERE database_name = $1 AND schema_name = $2"
        " AND table_name = $3 AND NOT is_generated ORDER BY column_index",
        [NAME, *name],
    )
    return [column for (column,) in found]


def _text(context: Context, directory: str, name: str) -> str:
    """A file of an export. Raises errors.Error."""
    path = str(PurePath(directory) / name)
    found = duck.rows(context.connections.gateway, f"SELECT content FROM read_text({quote_string(path)})")
    if not found:
        raise OperationalError(
            f'Cannot open file "{path}": there is no such file',
            sqlstate="58P01",
            hint="Name the directory that EXPORT DATABASE wrote.",
        )
    return str(found[0][0])


def _run_schema(context: Context, schema: str) -> None:
    """Make what a `schema.sql` defines; a comment of ours becomes the clause that it holds."""
    for statement in split_script(schema).all_statements():
        _run(context, _CLAUSE.sub(r"\1", statement.text))


def _run(context: Context, sql: str) -> None:
    """Run one statement of an export; an error says which."""
    from .dispatch import run

    with at_position(None):
        try:
            run(context, sql, None).close()
        except Error as error:
            error.detail = f"The statement of the export: {sql}"
            raise
