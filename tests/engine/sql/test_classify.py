"""Statement kinds, told from the first words."""

from __future__ import annotations

import pytest

from duckraft.engine.sql.classify import StatementKind, classify


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("select 1", StatementKind.QUERY),
        ("from t", StatementKind.QUERY),
        ("values (1)", StatementKind.QUERY),
        ("(select 1)", StatementKind.QUERY),
        ("describe t", StatementKind.QUERY),
        ("nonsense", StatementKind.QUERY),
        ("with x as (insert) select 1", StatementKind.QUERY),
        ("with x as (select 1) insert into t from x", StatementKind.INSERT),
        ("with x as (select 'insert') delete from t", StatementKind.DELETE),
        ("with recursive x(a) as (select 1), y as (select 2) update t set a = 1", StatementKind.UPDATE),
        ("explain select 1", StatementKind.EXPLAIN),
        ("explain route select 1", StatementKind.EXPLAIN_ROUTE),
        ("show tables", StatementKind.SHOW_CATALOG),
        ("show shards where rows > 1", StatementKind.SHOW_CATALOG),
        ("show tables from main", StatementKind.QUERY),
        ("show all tables", StatementKind.QUERY),
        ("insert into t values (1)", StatementKind.INSERT),
        ("/* hi */ update t set a = 1", StatementKind.UPDATE),
        ("delete from t", StatementKind.DELETE),
        ("merge into t using u on true when matched then delete", StatementKind.MERGE),
        ("truncate t", StatementKind.TRUNCATE),
        ("copy t from 'x'", StatementKind.COPY_FROM),
        ("copy t (a, b) from 'x'", StatementKind.COPY_FROM),
        ("copy (select a from t) to 'x'", StatementKind.COPY_TO),
        ("copy t to 'x'", StatementKind.COPY_TO),
        ("copy from database a to b", StatementKind.FILES),
        ("create table t (a int)", StatementKind.CREATE_TABLE),
        ("create or replace temp table t as from u", StatementKind.CREATE_TABLE),
        ("create view v as select 1", StatementKind.CREATE_DEFINITION),
        ("create or replace function f(x) as x", StatementKind.CREATE_DEFINITION),
        ("create schema s", StatementKind.CREATE_DEFINITION),
        ("create unique index i on t (a)", StatementKind.CREATE_INDEX),
        ("create sequence s", StatementKind.CREATE_SEQUENCE),
        ("drop view v", StatementKind.DROP),
        ("alter table t add column a int", StatementKind.ALTER),
        ("comment on table t is 'x'", StatementKind.COMMENT),
        ("begin", StatementKind.TRANSACTION),
        ("savepoint a", StatementKind.TRANSACTION),
        ("set transaction read only", StatementKind.TRANSACTION),
        ("set session characteristics as transaction read only", StatementKind.TRANSACTION),
        ("set transaction = 1", StatementKind.SETTING),
        ("prepare transaction 'x'", StatementKind.TRANSACTION),
        ("prepare transaction as select 1", StatementKind.PREPARED),
        ("lock resource 'x'", StatementKind.LOCK),
        ("unlock resource 'x'", StatementKind.LOCK),
        ("lock table t", StatementKind.LOCK),
        ("kill query 'x'", StatementKind.KILL),
        ("show transactions", StatementKind.SHOW_CATALOG),
        ("show locks where granted", StatementKind.SHOW_CATALOG),
        ("show deadlocks", StatementKind.SHOW_CATALOG),
        ("show transaction isolation level", StatementKind.QUERY),
        ("set threads = 1", StatementKind.SETTING),
        ("use x", StatementKind.SETTING),
        ("pragma version", StatementKind.SETTING),
        ("execute q(1)", StatementKind.PREPARED),
        ("export database 'x'", StatementKind.FILES),
        ("attach 'x'", StatementKind.ATTACHMENT),
        ("checkpoint", StatementKind.CHECKPOINT),
        ("", StatementKind.EMPTY),
        (" -- nothing\n;;", StatementKind.EMPTY),
    ],
)
def test_the_kind_of_a_statement(text: str, kind: StatementKind) -> None:
    assert classify(text).kind is kind
    assert classify(text.upper()).kind is kind


def test_what_is_behind_explain() -> None:
    for text, body, analyze in (
        ("explain select 1", "select 1", False),
        ("explain /* now */ analyze select 1", "select 1", True),
        ("explain route delete from t", "delete from t", False),
        ("explain", "", False),
    ):
        found = classify(text)
        assert (text[found.body_start :], found.analyze) == (body, analyze)


def test_the_modifiers_of_create_and_drop() -> None:
    created = classify("create or replace temporary view if not exists v as select 1")
    assert (created.object_kind, created.or_replace, created.temporary, created.if_exists) == (
        "VIEW",
        True,
        True,
        True,
    )
    assert classify("drop table if exists t").if_exists
    assert not classify("drop table t").if_exists
    assert classify("drop macro table if exists f").object_kind == "MACRO TABLE"
    assert classify("drop macro table if exists f").if_exists
