"""Make the model anew, or measure what it is worth on questions that it has not seen.

python -m embedder teach   SETS TEACHER WORK         what the teacher says of words and texts
python -m embedder train   SETS WORK OUT             the model, of all sets
python -m embedder measure SETS WORK                 models of some sets, on the others

Run it in `tools`, with `src` on the path, in an environment with torch; `teach` needs
sentence-transformers too. SETS is a folder of folders with `tools.jsonl` and `queries.jsonl`.
"""

import argparse
import asyncio
import tempfile
from pathlib import Path
from typing import Final

from embedder import sets, teacher, training
from embedder.table import Table
from hubbub.search.measuring import Evaluation, average, evaluate

FOLDS: Final = (
    ("metatool", "metatool_multi", "restbench_tmdb", "apibank"),
    ("toolalpaca", "apizoo_b", "restbench_spotify"),
    ("bfcl_synth", "nestful", "sealtools"),
)
"""Sets of one origin are held out together."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("step", choices=["teach", "train", "measure"])
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", dest="only", action="append", default=[])
    given = parser.parse_args()
    match given.step, given.folders:
        case "teach", [folder, model, work]:
            teacher.teach(sets.read(folder), model, work)
        case "train", [folder, work, out]:
            training.trained(sets.read(folder), work, seed=given.seed).save(out)
        case "measure", [folder, work]:
            _measure(folder, work, given.seed, given.only)
        case _:
            parser.error("see --help for the folders that a step takes")


def _measure(folder: Path, work: Path, seed: int, only: list[str]) -> None:
    """Train on all sets but some, and search those."""
    known = sets.read(folder)
    found: list[Evaluation] = []
    for held in FOLDS:
        if only and not set(only) & set(held):
            continue
        rest = sets.without(known, held)
        table = training.trained(rest, work, seed=seed)
        found += [_searched(table, folder / name) for name in held]
    for each in found:
        figures = {way: measured.ndcg_10 for way, measured in each.ways.items()}
        print(f"{each.name:20} {each.queries:5} questions  nDCG@10 {figures}")
    print("mean", average(found))


def _searched(table: Table, folder: Path) -> Evaluation:
    with tempfile.TemporaryDirectory() as place:
        table.save(Path(place))
        return asyncio.run(evaluate(folder, own=table.opened(Path(place))))


if __name__ == "__main__":
    main()
