"""Column types that mean the same on PostgreSQL and on SQLite."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from sqlalchemy import ARRAY, REAL, DateTime, Dialect, Double, Text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.types import TypeDecorator, TypeEngine, UserDefinedType

from hubbub.storage.transaction import Unkeepable

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder().decode
_decode_texts: Final = msgspec.json.Decoder(list[str]).decode

# Eight bytes on both: what is read is what was written, which four would round.
Number: Final[TypeEngine[float]] = Double().with_variant(REAL(), "sqlite")


class Json(UserDefinedType[object]):
    """JSONB on PostgreSQL, text on SQLite.

    `msgspec.Raw` and bytes are JSON already and go in as they are. None is
    NULL; JSON's own null is not stored by itself. The driver is to hand over
    text: asyncpg by itself does, an engine of SQLAlchemy's with `json_deserializer=str`.
    """

    cache_ok = True
    # asyncpg asks the server what a parameter is; without the cast, text in
    # an expression stays text and JSONB operators do not apply.
    render_bind_cast = True

    def bind_processor(self, dialect: Dialect) -> Callable[[object], str | None]:
        return _json_text

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[str | None], object]:
        return _json_value


@compiles(Json, "postgresql")
def _json_on_postgresql(type_: Json, compiler: object, **kwargs: object) -> str:
    return "JSONB"


@compiles(Json)
def _json_elsewhere(type_: Json, compiler: object, **kwargs: object) -> str:
    return "TEXT"


def _json_text(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, msgspec.Raw | bytes | bytearray | memoryview):
        return str(value, "utf-8")
    return _encode(value).decode()


def _json_value(text: str | None) -> object:
    if text is None:
        return None
    try:
        return _decode(text)
    except (msgspec.MsgspecError, RecursionError):
        return _patiently(text)


def _patiently(text: str) -> object:
    """What others said is kept as it came, and may hold what only a patient reader takes: numbers
    that no float holds, halves of surrogate pairs. What even that cannot read is named by its size,
    for one such value must not take the whole page with it."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return {"$unreadable": {"bytes": len(text.encode())}}


class RawJson(Json):
    """`Json` that is handed on and not looked into. What others said may hold what nobody here can
    read, such as numbers that no float holds."""

    cache_ok = True

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[str | None], object]:
        return _raw_json


def _raw_json(text: str | None) -> msgspec.Raw | None:
    return None if text is None else msgspec.Raw(text.encode())


class Timestamp(TypeDecorator[datetime]):
    """A moment: TIMESTAMP WITH TIME ZONE on PostgreSQL, text of one width in UTC on SQLite.

    The width makes the order of the text the order of time.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(Text())
        return dialect.type_descriptor(DateTime(timezone=True))

    def bind_processor(self, dialect: Dialect) -> Callable[[datetime | None], Any]:
        # Not by `process_bind_param`: every call writes several moments, and the wrappers that
        # SQLAlchemy puts around that cost more than the text does.
        return _moment_text if dialect.name == "sqlite" else _moment

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        return datetime.fromisoformat(value) if isinstance(value, str) else value


def timestamp_text(moment: datetime) -> str:
    """How SQLite keeps a moment: `2026-11-20T23:39:23.123456+00:00`."""
    return _in_utc(moment).isoformat(timespec="microseconds")


def _moment_text(moment: datetime | None) -> str | None:
    return None if moment is None else timestamp_text(moment)


def _moment(moment: datetime | None) -> datetime | None:
    return None if moment is None else _in_utc(moment)


def _in_utc(moment: datetime) -> datetime:
    """
    Raises:
        Unkeepable: if there it is before the year 1, or after 9999.
        ValueError: if it has no time zone.
    """
    zone = moment.tzinfo
    if zone is UTC:
        return moment
    if zone is None:
        raise ValueError("a moment needs a time zone")
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        expected = "a moment that in UTC is in the years 1 to 9999"
        raise Unkeepable(
            "the database cannot keep this", errors=[{"field": "", "expected": expected}]
        ) from error


class TextArray(TypeDecorator[Sequence[str]]):
    """A list of text: `text[]` on PostgreSQL, JSON text on SQLite."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(ARRAY(Text()))
        return dialect.type_descriptor(Text())

    def process_bind_param(
        self, value: Sequence[str] | None, dialect: Dialect
    ) -> list[str] | str | None:
        if value is None:
            return None
        return list(value) if dialect.name == "postgresql" else _encode(list(value)).decode()

    def process_result_value(self, value: Any, dialect: Dialect) -> list[str] | None:
        return _decode_texts(value) if isinstance(value, str) else value
