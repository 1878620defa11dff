"""dev.fs: reading and writing files."""

import base64
import io
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import PurePath
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from hubbub.client import AccessDenied, CallContext, Conflict, TooLarge
from hubbub.devspoke.refusals import became_a_link, named
from hubbub.devspoke.root import Root, gits_own, shown

READ_BYTES_MAX = 4 * 1024 * 1024
SCAN_MAX = 20_000  # names of one folder that are looked at

Kind = Literal["file", "directory", "link", "other"]


class Shape(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What every answer is: an object, its fields in camel case."""


class Content(Shape, frozen=True, kw_only=True):
    """A file, or some of its lines."""

    path: str
    text: str
    """As it is, line ends included; in base64 if it is not UTF-8 text."""
    base64: bool
    total_lines: int
    """Of the whole file; 0 if it is not text."""
    size_bytes: int


class Entry(Shape, frozen=True, kw_only=True):
    path: str
    """From the root."""
    type: Kind
    """A link is told as such and not followed."""
    size_bytes: int


class Entries(Shape, frozen=True, kw_only=True):
    entries: list[Entry]
    truncated: bool
    """Whether there are more than were asked for."""


class Written(Shape, frozen=True, kw_only=True):
    path: str
    size_bytes: int
    created: bool
    """Whether there was no such file before."""


class Files:
    """What `dev.fs` does, below one root. The functions block, and run in threads."""

    def __init__(self, root: Root) -> None:
        self._root = root

    def read(
        self,
        path: str,
        offset: Annotated[int, Meta(ge=0, description="lines to skip")] = 0,
        limit: Annotated[int, Meta(ge=1, le=100_000, description="lines to return")] = 2_000,
    ) -> Content:
        """Read a text file, or some of its lines; a file that is not text comes whole, in base64.

        Up to 4 MiB.
        """
        where = self._root.located(path)
        with self._root.file(where) as opened:
            data = _whole(opened, str(where))
        text = _text(data)
        if text is None:
            encoded = base64.b64encode(data).decode()
            return _content(where, encoded, is_base64=True, lines=0, size=len(data))
        lines = io.StringIO(text, newline="\n").readlines()
        some = "".join(lines[offset : offset + limit])
        return _content(where, some, is_base64=False, lines=len(lines), size=len(data))

    def entries(
        self,
        ctx: CallContext,
        path: str = ".",
        depth: Annotated[int, Meta(ge=1, le=32, description="levels to go down")] = 1,
        limit: Annotated[int, Meta(ge=1, le=10_000)] = 1_000,
    ) -> Entries:
        """List a folder, and those in it down to `depth`, in the order of their names.

        Links are listed and not followed; `.git` is listed and not entered.
        """
        where = self._root.located(path)
        with self._root.folder(where) as folder, named(str(where)):
            found = list(islice(_below(folder, where, depth, ctx), limit + 1))
        return Entries(entries=found[:limit], truncated=len(found) > limit)

    def write(self, path: str, text: str, create_parents: bool = False) -> Written:
        """Write a text file, whole or not at all: whoever reads it meanwhile sees old or new.

        Files of git's own (anything in `.git`) are not written.
        """
        where = self._root.located(path)
        if gits_own(where):
            # A line in .git/config or a hook is a program that the next git command runs.
            raise AccessDenied("the files of git are its own", path=path)
        if not where.name:
            raise Conflict("that is the root itself", path=path)
        data = text.encode()
        with self._root.folder(where.parent, create=create_parents) as folder, named(path):
            created = _replaced(where.name, data, folder)
        return Written(path=shown(str(where)), size_bytes=len(data), created=created)


def _content(where: PurePath, text: str, *, is_base64: bool, lines: int, size: int) -> Content:
    return Content(
        path=shown(str(where)), text=text, base64=is_base64, total_lines=lines, size_bytes=size
    )


def _whole(opened: int, path: str) -> bytes:
    # One byte more than allowed, so that a file which grows meanwhile is caught as well.
    with open(opened, "rb", closefd=False) as file:
        data = file.read(READ_BYTES_MAX + 1)
    if len(data) > READ_BYTES_MAX:
        raise TooLarge(
            "the file is too large to be read whole",
            path=path,
            bytes=os.fstat(opened).st_size,
            bytesMax=READ_BYTES_MAX,
        )
    return data


def _text(data: bytes) -> str | None:
    if b"\0" in data:
        return None
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


def _below(folder: int, where: PurePath, depth: int, ctx: CallContext) -> Iterator[Entry]:
    with os.scandir(folder) as scan:
        names = sorted(entry.name for entry in islice(scan, SCAN_MAX))
    for name in names:
        if ctx.cancelled:
            return
        try:
            about = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            continue
        kind = _kind(about.st_mode)
        path = where / name
        yield Entry(path=shown(str(path)), type=kind, size_bytes=about.st_size)
        if kind == "directory" and depth > 1 and name != ".git":
            yield from _inside(name, folder, path, depth - 1, ctx)


def _inside(
    name: str, folder: int, path: PurePath, depth: int, ctx: CallContext
) -> Iterator[Entry]:
    # Relative to the folder that holds it and not through a link: see Root.
    try:
        below = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
    except OSError:
        return  # gone, changed or closed to us meanwhile; it is listed all the same
    try:
        yield from _below(below, path, depth, ctx)
    finally:
        os.close(below)


def _kind(mode: int) -> Kind:
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "directory"
    return "link" if stat.S_ISLNK(mode) else "other"


def _replaced(name: str, data: bytes, folder: int) -> bool:
    """Put `data` under `name` in one step; whether there was nothing before."""
    old_mode = _mode(name, folder)
    passing = f".{secrets.token_hex(8)}.tmp"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    opened = os.open(passing, flags, 0o666, dir_fd=folder)
    try:
        with open(opened, "wb") as file:
            if old_mode is not None:
                os.fchmod(opened, old_mode)
            file.write(data)
            file.flush()
            os.fsync(opened)
        # Replaces a link that has appeared meanwhile: it is never written through.
        os.replace(passing, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(passing, dir_fd=folder)
        raise
    return old_mode is None


def _mode(name: str, folder: int) -> int | None:
    """The permissions of the file that is there now, None if there is none.

    Raises:
        Conflict: what is there is no file.
        AccessDenied: it is a link, which it was not when the path was resolved, or leads nowhere.
    """
    try:
        mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISLNK(mode):
        raise became_a_link(shown(name))
    if not stat.S_ISREG(mode):
        raise Conflict("it is not a file", path=shown(name))
    return stat.S_IMODE(mode)
