"""What a PostgreSQL server says of its schema, asked of the driver alone."""

import asyncio

import asyncpg


def revision(url: str) -> str | None:
    """The revision that the database stands at, or None if it was never migrated."""
    return asyncio.run(_revision(url))


async def _revision(url: str) -> str | None:
    connection = await asyncpg.connect(url)
    try:
        found: str | None = await connection.fetchval("SELECT version_num FROM alembic_version")
        return found
    except asyncpg.UndefinedTableError:
        return None
    finally:
        await connection.close()
