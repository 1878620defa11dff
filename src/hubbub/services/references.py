"""Where a config refers to secrets, and where it holds one in clear instead. No I/O."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from hubbub.kernel.errors import Invalid

SECRET_NAME: Final = r"^[A-Za-z_][A-Za-z0-9_.-]*$"
REFERENCE: Final = re.compile(r"\$\{secret:([A-Za-z_][A-Za-z0-9_.-]*)\}")
OPENING: Final = "${secret:"
OWN: Final = "oauth."
"""So begin the names of what the hub itself keeps for a client."""
MARK: Final = "*"
"""Stands for a reference where only the rest of a text is looked at."""

DEPTH_MAX: Final = 16
HINT: Final = "a reference as ${secret:NAME}, its value being given to client.setSecret"

_WORDS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_SECRET: Final = frozenset(
    {
        "token", "key", "secret", "password", "passwd", "passphrase", "pwd", "credential",
        "credentials", "authorization", "cookie",
    }
)  # fmt: skip
_ENDINGS: Final = ("token", "secret", "password", "apikey", "accesskey", "secretkey")
# What names a secret, or says of which kind it is or where, is none.
_HARMLESS: Final = frozenset(
    {"id", "name", "url", "uri", "endpoint", "file", "path", "dir", "type", "ttl", "prefix"}
)
_SHAPES: Final = re.compile(
    r"^(?i:bearer|basic|token) +[A-Za-z0-9._~+/=-]{16,}$"
    r"|\b(?:sk-|gh[pousr]_|github_pat_|glpat-|xox[abeprs]-|AKIA)[A-Za-z0-9_-]{16}"
    r"|\bhub_[A-Za-z0-9_-]{43}"
    r"|\beyJ[A-Za-z0-9_-]{8,}\.eyJ"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----"
)


@dataclass(frozen=True, kw_only=True)
class Text:
    """A text in a config."""

    path: str
    name: str
    """What it stands for: the key, or in a list of arguments the option before it."""
    value: str


def names(config: object) -> frozenset[str]:
    """The secrets that a config refers to."""
    return frozenset(
        name for text in texts(config, "config") for name in REFERENCE.findall(text.value)
    )


def replaced(config: object, secrets: Mapping[str, str]) -> object:
    """The config with every reference replaced. All of them must be there."""
    match config:
        case str():
            return REFERENCE.sub(lambda match: secrets[match[1]], config)
        case list():
            return [replaced(each, secrets) for each in config]
        case dict():
            return {key: replaced(each, secrets) for key, each in config.items()}
        case _:
            return config


def check(config: object) -> None:
    """See that secrets are referred to, rightly, and not written down.

    Raises:
        Invalid: names the field, never what stands there.
    """
    for text in texts(config, "config"):
        if any(name.startswith(OWN) for name in REFERENCE.findall(text.value)):
            raise _invalid(text.path, f"a secret of the client's own: {OWN}* is the hub's")
        hidden = REFERENCE.sub(MARK, text.value)
        if OPENING in hidden:
            raise _invalid(text.path, "${secret:NAME}, with a name of letters, digits and _.-")
        if in_clear(text.name, hidden):
            raise Invalid(
                "a config holds secrets by reference only",
                errors=[{"field": text.path, "expected": HINT}],
            )


def texts(config: object, path: str) -> Iterator[Text]:
    """Every text in a config.

    Raises:
        Invalid: if it is nested too deep.
    """
    # No recursion: what others send may be nested deeper than Python goes.
    waiting: list[tuple[str, str, object, int]] = [(path, "", config, 0)]
    while waiting:
        path, name, value, depth = waiting.pop()
        if depth > DEPTH_MAX:
            raise _invalid(path[:200], f"at most {DEPTH_MAX} levels")
        match value:
            case str():
                yield Text(path=path, name=name, value=value)
            case dict():
                waiting += [(f"{path}.{key}", key, each, depth + 1) for key, each in value.items()]
            case list():
                for n, (option, each) in enumerate(_options(name, value)):
                    waiting.append((f"{path}[{n}]", option, each, depth + 1))


def _options(name: str, values: list[object]) -> Iterator[tuple[str, object]]:
    """The values of a list with what they stand for: `--token`, `x` and `--token=x` are alike."""
    before = name
    for value in values:
        if isinstance(value, str) and value.startswith("-"):
            option, equals, rest = value.partition("=")
            before = "" if equals else option
            yield (option, rest) if equals else ("", value)
        else:
            yield before, value
            before = name


def in_clear(name: str, text: str) -> bool:
    """Whether a text holds a secret. What it refers to is to be replaced by `MARK` before."""
    if not text:
        return False
    if secret_name(name) and MARK not in text:
        return True
    return _SHAPES.search(text) is not None or ("://" in text and _in_url(text))


def _in_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        query = parse_qsl(parts.query)
        return MARK not in (parts.password or MARK) or any(
            secret_name(name) and MARK not in value for name, value in query
        )
    except ValueError:
        return False  # no URL; where one is needed it is refused for that


def secret_name(name: str) -> bool:
    """Whether what has this name is a secret."""
    words = [word.lower() for word in _WORDS.findall(name)]
    if not words or words[-1] in _HARMLESS:
        return False
    return any(word in _SECRET or word.endswith(_ENDINGS) for word in words)


def _invalid(field: str, expected: str) -> Invalid:
    return Invalid(f"{field} does not fit", errors=[{"field": field, "expected": expected}])
