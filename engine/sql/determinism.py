"""Which changes give the same when their text runs again on the same rows: on a copy of the shard, or after a crash.

Promises: never true for a text that could give something else. It may be false for one that could not: only what is
known to be harmless passes, and every function that is not on the list is not known.
Leaves to others: macros and sequences, which the catalog knows; settings, which travel with the statement
(`storage/settings.py`); values that stand for `now()` and its like, once `instants` has found these.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any

from ..types import Parameters
from .lexer import Kind, Lexeme, significant
from .names import name_at


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


FUNCTIONS = _words(
    """
    abs array_append array_concat array_contains array_extract array_length array_prepend
    array_value ascii base64 bit_count bit_length ceil ceiling century char_length character_length chr coalesce
    concat concat_ws contains date_add date_diff date_part date_sub date_trunc datediff datepart datesub
    datetrunc day dayname dayofmonth dayofweek dayofyear decade decode element_at encode ends_with epoch
    epoch_ms epoch_ns epoch_us era even extract factorial floor from_base64 from_binary from_hex gcd greatest
    greatest_common_divisor hex hour if ifnull instr isfinite isinf isnan isodow isoyear json json_array
    json_array_length json_exists json_extract json_extract_path json_extract_path_text json_extract_string
    json_keys json_merge_patch json_object json_quote json_structure json_type json_valid julian last_day lcase
    lcm least least_common_multiple left len length list_append list_concat list_contains list_extract list_has
    list_prepend list_value lower lpad ltrim make_date make_time make_timestamp map map_extract map_from_entries
    map_keys map_values md5 microsecond millennium millisecond minute mod month monthname multiply nullif ord
    position prefix quarter regexp_extract regexp_full_match regexp_matches regexp_replace repeat replace
    reverse right round row rpad rtrim second sha1 sha256 sign signbit split_part sqrt starts_with strftime
    string_split strip_accents strlen strpos strptime struct_extract struct_pack subtract substr substring
    substring_grapheme suffix to_base64 to_binary to_centuries to_days to_decades to_hex to_hours to_json
    to_microseconds to_millennia to_milliseconds to_minutes to_months to_quarters to_seconds to_weeks to_years
    translate trim trunc try_strptime typeof ucase unbin unhex unicode union_extract union_tag union_value upper
    url_decode url_encode week weekday weekofyear xor year yearweek
    """
)
"""Functions whose value is decided by their arguments and the settings, to the last bit and on every machine."""

TYPES = _words(
    """
    BIGINT BIGNUM BINARY BIT BITSTRING BLOB BOOL BOOLEAN BPCHAR BYTEA CHAR DATE DATETIME DEC DECIMAL DOUBLE
    FLOAT FLOAT4 FLOAT8 GUID HUGEINT INT INT1 INT128 INT16 INT2 INT32 INT4 INT64 INT8 INTEGER INTERVAL JSON
    LOGICAL LONG NUMERIC REAL SHORT SIGNED SMALLINT STRING TEXT TIME TIMESTAMP TIMESTAMPTZ TIMESTAMP_MS
    TIMESTAMP_NS TIMESTAMP_S TIMESTAMP_US TIMETZ TINYINT UBIGINT UHUGEINT UINT128 UINT16 UINT32 UINT64 UINT8
    UINTEGER USMALLINT UTINYINT UUID VARBINARY VARCHAR
    """
)
"""Names of DuckDB's own types. JSON is not reserved: a type of the user's may be called so, and be something else."""

_SIZED = frozenset({"DECIMAL", "DEC", "NUMERIC", "VARCHAR", "CHAR", "BPCHAR"})
_CASTS = frozenset({"CAST", "TRY_CAST"})
_BEFORE_PARENTHESIS = _CASTS | _words(
    """
    AND AS BETWEEN CASE CONFLICT DISTINCT DO ELSE ESCAPE FROM GLOB ILIKE IN INTERVAL INTO IS LIKE NOT NULL OR
    RETURNING SET SIMILAR THEN TO VALUES WHEN WHERE
    """
)
_BEFORE_STRING = _BEFORE_PARENTHESIS | frozenset({"COLLATE", "INTERVAL", "ZONE", "OF"})
_WITH_FROM = frozenset({"EXTRACT", "SUBSTRING", "TRIM", "OVERLAY"})
_NEVER = _words(
    """
    ALL ANTI ANY ASOF BY COLUMNS CROSS CURRENT_CATALOG CURRENT_DATABASE CURRENT_DATE CURRENT_LOCALTIME
    CURRENT_LOCALTIMESTAMP CURRENT_ROLE CURRENT_SCHEMA CURRENT_TIME CURRENT_TIMESTAMP CURRENT_USER DESCRIBE
    EXCEPT EXISTS FETCH FILTER FULL GROUP HAVING INTERSECT JOIN LAMBDA LATERAL LIMIT LOCALTIME LOCALTIMESTAMP
    NATURAL OFFSET ORDER OVER PIVOT PIVOT_LONGER PIVOT_WIDER POSITIONAL QUALIFY SAMPLE SELECT SEMI SESSION_USER
    SHOW SOME SUMMARIZE TABLE TABLESAMPLE TRY UNION UNPACK UNPIVOT USER USING WINDOW
    """
)
_INSTANTS = _words(
    """
    current_date current_localtime current_localtimestamp current_time current_timestamp get_current_time
    get_current_timestamp localtime localtimestamp now today transaction_timestamp
    """
)
_BARE_INSTANTS = frozenset(
    {"current_date", "current_time", "current_timestamp", "localtime", "localtimestamp"}
)
_ZONED = frozenset({"TIMESTAMPTZ", "TIMETZ", "ZONE"})


def is_replayable(text: str, defaults: Iterable[str] = (), own: Iterable[str] = ()) -> bool:
    """Whether an INSERT of values, UPDATE or DELETE of one table gives the same whenever it runs on the same rows.

    defaults: SQL of those of its target, which an INSERT and the word DEFAULT make use of. own: names, folded, of the
    user's macros, which may be called as operators are, and types.
    """
    lexemes = significant(text)
    verb = lexemes[0].upper if lexemes else ""
    words = {lexeme.upper for lexeme in lexemes}
    names = frozenset(own)
    if verb not in ("INSERT", "UPDATE", "DELETE") or (verb == "INSERT" and "VALUES" not in words):
        return False
    if (verb == "INSERT" or "DEFAULT" in words) and not all(
        _is_steady(significant(default), names) for default in defaults
    ):
        return False
    return _is_steady(lexemes, names)


def is_replayable_expression(text: str, own: Iterable[str] = ()) -> bool:
    """Whether an expression over the columns of one row, or over none, always has the same value."""
    return _is_steady(significant(text), frozenset(own))


def mentions_time_zone(text: str, types: Iterable[str], parameters: Parameters) -> bool:
    """Whether the session's time zone may matter to a replayable statement. types: of the columns of its target."""
    if any("TIME ZONE" in kind for kind in types) or any(one.upper in _ZONED for one in significant(text)):
        return True
    values: Iterable[Any] = () if parameters is None else parameters
    if isinstance(parameters, dict):
        values = parameters.values()
    return any(may_be_zoned(value) for value in values)


def may_be_zoned(value: object) -> bool:
    """Whether the session's time zone may matter to what a parameter means."""
    if isinstance(value, (datetime, time)):
        return value.tzinfo is not None
    return value is not None and not isinstance(value, (bool, int, float, str, bytes))


@dataclass(frozen=True, slots=True)
class Instant:
    """A call that has one value for a whole transaction. start, end: its place in the text. sql: the call."""

    start: int
    end: int
    sql: str


def instants(text: str) -> list[Instant]:
    """The calls of `now()` and its like in a text, up to RETURNING, for which their values can be put."""
    lexemes = significant(text)
    found: list[Instant] = []
    for index, lexeme in enumerate(lexemes):
        name = lexeme.identifier.lower()
        if lexeme.upper == "RETURNING":
            break  # A value in place of a call would be the name of a column.
        if (
            lexeme.kind is not Kind.WORD
            or name not in _INSTANTS
            or (index and lexemes[index - 1].text == ".")
        ):
            continue
        called = [one.text for one in lexemes[index + 1 : index + 3]]
        if called == ["(", ")"]:
            found.append(Instant(lexeme.start, lexemes[index + 2].end, f"{name}()"))
        elif name in _BARE_INSTANTS and called[:1] not in (["("], ["."]):
            found.append(Instant(lexeme.start, lexeme.end, name))
    return found


def without_instants(text: str) -> str:
    """The text with NULL in place of these calls: what else it has may be judged by that."""
    kept, position = "", 0
    for one in instants(text):
        kept += f"{text[position : one.start]}NULL"
        position = one.end
    return kept + text[position:]


def _is_steady(lexemes: Sequence[Lexeme], own: frozenset[str]) -> bool:
    """Whether nothing in a text could have another value another time."""
    listed = _before_column_list(lexemes)
    opened: list[str] = []
    for index, lexeme in enumerate(lexemes):
        kind, text = lexeme.kind, lexeme.text
        if own and lexeme.identifier.lower() in own:
            return False
        if kind is Kind.SYMBOL:
            if text == "(":
                opened.append(lexemes[index - 1].upper if index else "")
            elif text == ")":
                if opened:
                    opened.pop()
            elif ":" in text and text != ":" and not (text == "::" and _is_type(lexemes, index + 1)):
                return False
        elif kind in (Kind.WORD, Kind.QUOTED):
            if not (index in listed or _is_known(lexemes, index, opened[-1] if opened else "")):
                return False
        elif kind is Kind.UNFINISHED:
            return False
    return True


def _is_known(lexemes: Sequence[Lexeme], index: int, opened: str) -> bool:
    """Whether a word is a column or always means the same. opened: the word before the parenthesis it is in."""
    lexeme = lexemes[index]
    upper = lexeme.upper
    before = lexemes[index - 1] if index else None
    after = lexemes[index + 1] if index + 1 < len(lexemes) else None
    if lexeme.identifier.lower() == "rowid" or upper in _NEVER:
        return False
    if opened in _CASTS and before is not None and before.upper == "AS" and not _is_type(lexemes, index):
        return False
    if upper == "FROM" and not (
        opened in _WITH_FROM
        or (before is not None and (before.upper == "DISTINCT" or (index == 1 and before.upper == "DELETE")))
    ):
        return False
    if upper == "IN" and (after is None or after.text not in ("(", "[")) and not _is_parameter(after):
        return False
    if upper == "WITH" and (after is None or after.upper != "TIME"):
        return False
    if after is not None and after.text == "(" and after.kind is Kind.SYMBOL:
        return upper in _BEFORE_PARENTHESIS or upper in _SIZED or (bool(upper) and upper.lower() in FUNCTIONS)
    if after is not None and after.kind is Kind.STRING:
        return upper in _BEFORE_STRING or upper in TYPES
    return True


def _is_parameter(lexeme: Lexeme | None) -> bool:
    return lexeme is not None and lexeme.kind is Kind.PARAMETER


def _is_type(lexemes: Sequence[Lexeme], index: int) -> bool:
    return index < len(lexemes) and lexemes[index].upper in TYPES


def _before_column_list(lexemes: Sequence[Lexeme]) -> set[int]:
    """The index of the name, or alias, that stands before the columns of an INSERT."""
    into = next((index for index, lexeme in enumerate(lexemes[:5]) if lexeme.upper == "INTO"), None)
    found = name_at(list(lexemes), into + 1) if into is not None else None
    if found is None:
        return set()
    behind = found[1]
    if behind < len(lexemes) and lexemes[behind].upper == "AS":
        return {behind - 1, behind + 1}
    return {behind - 1}
