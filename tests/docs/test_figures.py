"""Figures on the first page come from a file of the benchmarks, all of them."""

from tests.support.examples import ROOT
from tools.figures import MARKED, Budget, Figures, filled


def test_every_budget_is_shown_met_or_not():
    found = [
        Budget(what="a call", unit="us", limit=45, measured=57.7, at_least=False, floor=14.7),
        Budget(what="writes", unit="per s", limit=12000, measured=4071, at_least=True, floor=None),
    ]
    page = "Before\n<!-- figures -->\n| old |\n<!-- /figures -->\nafter\n"
    assert filled(page, Figures(budgets=found)).splitlines()[2:-2] == [
        "| | measured | aim | floor, in the same run |",
        "|---|---|---|---|",
        "| a call | 57.7 us | ≤ 45.0 us, missed | 14.7 us |",
        "| writes | 4,071 per s | ≥ 12,000 per s, missed |  |",
    ]


def test_the_first_page_has_a_place_for_them():
    assert len(MARKED.findall((ROOT / "README.md").read_text())) == 1
