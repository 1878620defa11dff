"""A hub's database as commands see it that look at it without a hub."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from hubbub.kernel.errors import HubError, Invalid, Unavailable


@contextmanager
def opening(url: str) -> Iterator[None]:
    """What keeps a database from being opened, as an error that says so in a line.

    Raises:
        Unavailable: says which database, and why.
    """
    try:
        yield
    except HubError:
        raise
    except ModuleNotFoundError as error:
        raise Invalid(
            "PostgreSQL needs the extra `postgres`: pip install 'hubbub[postgres]'",
            errors=[{"field": "database", "expected": "sqlite:///PATH, without the extra"}],
        ) from error
    except (OSError, sqlite3.Error, SQLAlchemyError) as error:
        raise _unopened(url, error) from error
    except Exception as error:
        # The driver of PostgreSQL need not be installed, so its errors are told by their origin.
        if type(error).__module__.partition(".")[0] != "asyncpg":
            raise
        raise _unopened(url, error) from error


def shown(url: str) -> str:
    """A database's address without its password."""
    parts = urlsplit(url)
    if parts.password is None and "password" not in parts.query.lower():
        return url
    user, at, place = parts.netloc.rpartition("@")
    # Of the server or of a client's certificate, such as `sslpassword`.
    query = [each for each in parse_qsl(parts.query) if "password" not in each[0].lower()]
    netloc = f"{user.partition(':')[0]}{at}{place}"
    return urlunsplit(parts._replace(netloc=netloc, query=urlencode(query)))


def password(url: str) -> str | None:
    """The password in a database's address."""
    parts = urlsplit(url)
    if parts.password is not None:
        return unquote(parts.password)
    return dict(parse_qsl(parts.query)).get("password")


def _unopened(url: str, error: Exception) -> Unavailable:
    cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
    reason = str(cause).partition("\n")[0].rpartition(">: ")[2] or type(cause).__name__
    return Unavailable("the database cannot be opened", database=shown(url), reason=reason)
