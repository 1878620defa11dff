"""Errors, on all wires."""

import re

from hubbub.kernel import errors
from reference.markdown import table


def page() -> str:
    when = dict(re.findall(r"^ +\w+ +([A-Z_]+) {2,}(.+)$", errors.__doc__ or "", re.M))
    rows = (
        (
            f"`{code}`",
            f"`{errors.BY_CODE[code].__name__}`",
            when[code],
            str(meaning.http),
            _frame(code),
            str(meaning.exit),
        )
        for code, meaning in errors.MEANINGS.items()
    )
    own = errors.DOMAIN_ERROR
    return "\n\n".join(
        (
            "# Errors",
            "One failure has one code, whichever way the call came. `hubbub.client` raises its "
            "class. An operation may declare codes of its own: they travel as they are, over "
            f"HTTP with status {own.http} unless the operation declares another, and from the "
            f"command line with exit code {own.exit}; in Python they are a `DomainError`, whose "
            "`name` is the code.",
            table(("code", "in Python", "when", "HTTP", "WebSocket", "exit code"), rows),
            "What `details` hold, and the reasons of an abort: [concepts](../concepts.md#reasons).",
        )
    )


def _frame(code: str) -> str:
    return "`call.aborted`, or `call.error`" if code == "ABORTED" else "`call.error`"
