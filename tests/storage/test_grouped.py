"""Many rows in few statements."""

from itertools import chain

import pytest

from hubbub.storage.sqlite import TOGETHER_MAX, grouped

INSERT = "INSERT INTO t (a, b) VALUES (?, ?)"


@pytest.mark.parametrize("count", [1, 2, 3, 63, 64, 65, 200, 2000])
def test_every_row_is_inserted_once_and_in_order(count):
    rows = [(n, str(n)) for n in range(count)]
    statements = list(grouped(INSERT, rows))
    assert list(chain.from_iterable(values for _, values in statements)) == list(
        chain.from_iterable(rows)
    )
    assert all(sql.count("?") == len(values) for sql, values in statements)


def test_however_many_rows_come_there_are_few_statements_to_keep():
    """SQLite keeps a statement with what it last wrote: one for each number of rows is a leak."""
    texts = {sql for count in range(1, 500) for sql, _ in grouped(INSERT, [(1, 2)] * count)}
    assert len(texts) == TOGETHER_MAX.bit_length()


def test_what_is_no_plain_insert_runs_once_a_row():
    update = "UPDATE t SET a = ? WHERE b = ?"
    assert list(grouped(update, [(1, 2), (3, 4)])) == [(update, (1, 2)), (update, (3, 4))]
