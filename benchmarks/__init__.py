"""The hub measured against its budgets, beside floors and peers, in one run."""
