"""Profiles."""

from sqlalchemy import Column, Index, Table, Text

from hubbub.storage.schema import common_columns, metadata, one_of
from hubbub.storage.types import TextArray

profiles = Table(
    "profiles",
    metadata,
    *common_columns(),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("mode", Text, nullable=False),
    Column("servers", TextArray, nullable=False),
    Column("groups", TextArray, nullable=False),
    Column("tools", TextArray, nullable=False),
    Column("pinned", TextArray, nullable=False),
    one_of("mode", "tools", "search"),
    Index("unq_profiles_name", "name", unique=True),
)
