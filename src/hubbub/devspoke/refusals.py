"""The errors that the operations declare, and how the machine's own become them."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from hubbub.client import AccessDenied, Conflict, ErrorDefinition, Invalid, NotFound

OUTSIDE = ErrorDefinition(
    code="ACCESS_DENIED",
    description="the path leads out of the root, or the machine does not let the spoke in",
)
MISSING = ErrorDefinition(code="NOT_FOUND", description="there is nothing under that path")
WRONG_KIND = ErrorDefinition(
    code="CONFLICT", description="a file where a directory was expected, or the other way round"
)
TOO_LARGE = ErrorDefinition(code="TOO_LARGE", description="over the limit in `bytesMax`")
GIT_FAILED = ErrorDefinition(
    code="GIT_FAILED", description="git refused; `stderr` and `exitCode` say what it said"
)
NO_REPOSITORY = ErrorDefinition(
    code="NOT_FOUND", description="no repository within the root, or no such ref or worktree"
)
WORKTREE_STATE = ErrorDefinition(
    code="CONFLICT", description="the worktree exists already, or holds changes"
)
NOT_ALLOWED = ErrorDefinition(
    code="ACCESS_DENIED", description="the program is not on the spoke's list, see `allowed`"
)
TOOK_TOO_LONG = ErrorDefinition(code="TIMEOUT", description="it was killed after `timeoutS`")

_NO_PATH = (errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ)
_WRONG_KIND = (errno.ENOTDIR, errno.EISDIR, errno.ENOTEMPTY, errno.EEXIST, errno.ENXIO)


@contextmanager
def named(path: str) -> Iterator[None]:
    """Tell what the machine says about `path` by a name; what is nobody's fault stays a bug."""
    try:
        yield
    except FileNotFoundError as error:
        raise NotFound("there is no such file or directory", path=path) from error
    except PermissionError as error:
        raise AccessDenied("the machine does not permit it", path=path) from error
    except OSError as error:
        if error.errno in _NO_PATH:
            raise not_a_path(path) from error
        if error.errno == errno.ELOOP:
            raise became_a_link(path) from error
        if error.errno in _WRONG_KIND:
            raise Conflict("it is of another kind", path=path, reason=error.strerror) from error
        raise


def misfit(field: str, expected: str, got: str) -> Invalid:
    return Invalid(
        "the input does not fit",
        errors=[{"field": field, "expected": expected, "got": got[:200]}],
    )


def not_a_path(path: str) -> Invalid:
    return misfit("path", "a path below the root", path)


def became_a_link(path: str) -> AccessDenied:
    return AccessDenied("a link where none may be followed", path=path)
