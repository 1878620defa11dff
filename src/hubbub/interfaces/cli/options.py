"""Options of the commands that look at a database themselves."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def database_options(function: F) -> F:
    """`--database` and `--config`: which database is meant, as `hubbub serve` would take it."""
    config = click.option(
        "--config",
        type=click.Path(path_type=Path, dir_okay=False),
        help="A TOML file with settings, as for `hubbub serve`.",
    )
    database = click.option(
        "--database",
        metavar="URL",
        help="sqlite:///PATH or postgresql://...; by default as `hubbub serve` takes it.",
    )
    return config(database(function))
