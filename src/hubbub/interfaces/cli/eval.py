"""`hubbub eval`: how well the hub does what can be measured without one."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from hubbub.interfaces.cli import printing
from hubbub.interfaces.cli.commands import Group
from hubbub.interfaces.cli.session import current
from hubbub.kernel.errors import Invalid
from hubbub.search.choosing import made
from hubbub.search.measuring import QUERIES, Measured, average, evaluate
from hubbub.settings import load

HEADINGS: Final = (
    "way", ">recall@1", ">recall@5", ">recall@10", ">nDCG@10", ">MRR", ">p50 ms", ">p99 ms",
)  # fmt: skip
SHOWN: Final = {"words": "words", "meaning": "meaning", "both": "fusion"}


@click.group(cls=Group, name="eval")
def eval_() -> None:
    """Measure how well the hub finds what is right."""


@eval_.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option(
    "--config",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A TOML file with settings: the embedder that they choose is measured.",
)
def search(folder: Path, config: Path | None) -> None:
    """Search a folder's tools for its questions, by words, by meaning and by both.

    The folder holds `tools.jsonl` and `queries.jsonl`, or folders that do.

    \b
      tools.jsonl    {"id": "a", "server": "git", "name": "log", "description": "...",
                      "input_schema": {}}
      queries.jsonl  {"id": "1", "query": "who changed this file", "gold": [["a"]]}

    `gold` is a list of groups; each needs one of its tools.
    """
    chosen = made(load(config).choice)
    sets = [asyncio.run(evaluate(each, chosen)) for each in _sets(folder)]
    if current().json:
        alone = len(sets) == 1 and (folder / QUERIES).exists()
        document = sets[0] if alone else {"sets": sets, "mean": average(sets)}
        printing.document(msgspec.to_builtins(document))
        return
    for each in sets:
        told = f"[bold]{printing.plain(each.name)}[/bold]: {each.queries:,} questions"
        printing.out().print(f"{told}, {each.tools:,} tools")
        printing.out().print(_table(each.ways))
    if len(sets) > 1:
        printing.out().print(f"[bold]mean[/bold] of {len(sets)} sets")
        printing.out().print(_table(average(sets)))


def _sets(folder: Path) -> Sequence[Path]:
    if (folder / QUERIES).exists():
        return [folder.absolute()]
    found = sorted(each.parent for each in folder.glob(f"*/{QUERIES}"))
    if not found:
        raise Invalid(
            f"{folder} holds no {QUERIES}, nor do its folders",
            errors=[{"field": "folder", "expected": f"one with {QUERIES}"}],
        )
    return found


def _table(ways: Mapping[str, Measured]) -> Any:
    rows = [
        (
            SHOWN[way],
            *(
                f"{value:.3f}"
                for value in (
                    each.recall_1, each.recall_5, each.recall_10, each.ndcg_10, each.mrr,
                    each.p50_ms, each.p99_ms,
                )
            ),
        )
        for way, each in ways.items()
    ]  # fmt: skip
    return printing.table(HEADINGS, rows)
