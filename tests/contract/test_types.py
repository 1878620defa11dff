"""Columns give back what they were given, on both databases."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Column, Connection, MetaData, Table, Text, insert, select, type_coerce
from sqlalchemy.exc import StatementError
from sqlalchemy.types import TypeEngine

from hubbub.storage.schema import current_moment
from hubbub.storage.types import Json, Number, TextArray, Timestamp, timestamp_text

from .stories import story, within

# Neither database keeps a zero byte in text, and half a surrogate pair is not text.
_TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | _TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(_TEXT, inner),
    max_leaves=20,
)
_ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
_MOMENTS = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=_ZONES)

# The database is a fixture of the story around, not of each example.
_examples = settings(max_examples=60, suppress_health_check=list(HealthCheck))


def returns(tx: Connection, type_: TypeEngine[object]) -> Callable[[object], object]:
    """What a column of this type gives back for what it is given."""
    table = Table("probe", MetaData(), Column("value", type_), prefixes=["TEMPORARY"])
    table.create(tx)

    def back(value: object) -> object:
        tx.execute(table.delete())
        tx.execute(insert(table).values(value=value))
        return tx.scalars(select(table.c.value)).one()

    return back


@story
def test_json_comes_back_as_it_went_in(tx):
    back = returns(tx, Json())

    @_examples
    @given(_JSON)
    def holds(value: object) -> None:
        assert back(value) == value

    holds()


@pytest.mark.parametrize("ready", [b'{"a": [1, 2]}', msgspec.Raw(b'{"a": [1, 2]}')])
def test_json_that_is_ready_is_stored_as_it_is(migrated, ready):
    @story
    def holds(tx: Connection) -> None:
        back = returns(tx, Json())
        assert back(ready) == {"a": [1, 2]}
        if tx.dialect.name == "sqlite":
            assert tx.exec_driver_sql("SELECT value FROM probe").scalar() == '{"a": [1, 2]}'

    holds(migrated)


@story
def test_what_has_no_json_of_its_own_is_encoded(tx):
    class Point(msgspec.Struct):
        x: int
        when: datetime

    back = returns(tx, Json())
    assert back(Point(1, datetime(2026, 1, 1, tzinfo=UTC))) == {
        "x": 1,
        "when": "2026-01-01T00:00:00Z",
    }


@story
def test_no_json_is_null(tx):
    back = returns(tx, Json())
    assert back(None) is None
    assert tx.exec_driver_sql("SELECT count(*) FROM probe WHERE value IS NULL").scalar() == 1


@story
def test_a_moment_comes_back_as_the_same_moment_in_utc(tx):
    back = returns(tx, Timestamp())

    @_examples
    @given(_MOMENTS)
    def holds(moment: datetime) -> None:
        returned = back(moment)
        assert (returned, returned.utcoffset()) == (moment, timedelta(0))

    holds()


@given(st.lists(_MOMENTS))
def test_the_order_of_the_text_is_the_order_of_time(moments):
    assert [timestamp_text(m) for m in sorted(moments)] == sorted(map(timestamp_text, moments))
    assert {len(timestamp_text(moment)) for moment in moments} <= {32}


@story
def test_a_moment_without_a_time_zone_is_refused(tx):
    back = returns(tx, Timestamp())
    with pytest.raises(StatementError), tx.begin_nested():
        back(datetime(2026, 1, 1))


def test_sqlites_own_clock_writes_moments_in_the_same_form(new_sqlite):
    def now(tx: Connection) -> str:
        return str(tx.scalar(select(type_coerce(current_moment(), Text))))

    stored = within(new_sqlite(), now)
    assert stored == timestamp_text(datetime.fromisoformat(stored))


@story
def test_a_list_of_text_comes_back_as_it_went_in(tx):
    back = returns(tx, TextArray())

    @_examples
    @given(st.none() | st.lists(_TEXT) | st.lists(_TEXT).map(tuple))
    def holds(value: list[str] | tuple[str, ...] | None) -> None:
        assert back(value) == (None if value is None else list(value))

    holds()


@story
def test_a_number_is_not_rounded(tx):
    back = returns(tx, Number)

    @_examples
    @given(st.floats(allow_nan=False, allow_infinity=False))
    def holds(value: float) -> None:
        assert back(value) == value

    holds()
