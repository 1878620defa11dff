"""What a command that starts a server runs: the package by which it is known. Pure."""

from collections.abc import Sequence
from pathlib import PurePath
from typing import Final

_RUNNERS: Final = {
    "npx": "npm", "bunx": "npm", "pnpx": "npm", "uvx": "pypi", "pipx": "pypi", "dnx": "nuget",
}  # fmt: skip
# Options that take a value, which is not the package.
_TAKING: Final = frozenset(
    """
    -p --package --from --with --python --index-url --registry -c --call --userconfig
    """.split()  # noqa: SIM905  # a list of words reads best as words
)
_DOCKER_TAKING: Final = frozenset(
    """
    -e --env --env-file -v --volume --mount -p --publish --name --network --net -u --user -w
    --workdir -h --hostname --add-host --label -l --entrypoint --memory -m --cpus --platform
    --pull --runtime --gpus --device --dns --tmpfs --log-driver --ulimit --cap-add --cap-drop
    --security-opt
    """.split()  # noqa: SIM905  # as above
)


def package_of(command: str, args: Sequence[str]) -> str:
    """`npx -y @scope/name@1.0` runs `npm:@scope/name`, `docker run -i image:1` runs `image:1`;
    what is no package is known by its program and what that is given first. What comes later may
    be secret."""
    program = PurePath(command).name.lower().removesuffix(".cmd").removesuffix(".exe")
    rest = list(args)
    if program in ("pipx", "pnpm", "bun", "yarn", "npm", "uv") and rest:
        program, rest = _wrapped(program, rest)
    if program in ("docker", "podman", "nerdctl"):
        image = _image(rest)
        if image:
            return image
    kind = _RUNNERS.get(program)
    name = _first(rest, _TAKING) if kind else None
    if kind and name:
        return f"{kind}:{without_version(name)}"
    first = _first(args, frozenset())
    return f"{command} {first}" if first else command


def without_version(name: str) -> str:
    """`@scope/name@1.2` is `@scope/name`, and `name==1.2` is `name`."""
    name = name.partition("==")[0].partition("[")[0]
    head, at, version = name.rpartition("@")
    return head if at and head and version else name


def _wrapped(program: str, args: list[str]) -> tuple[str, list[str]]:
    """`npm exec x`, `pnpm dlx x`, `uv tool run x`, `pipx run x`."""
    for words, runner in (
        (("tool", "run"), "uvx"), (("run",), "pipx"), (("exec",), "npx"), (("dlx",), "npx"),
        (("x",), "npx"),
    ):  # fmt: skip
        if tuple(args[: len(words)]) == words and (program, words) != ("uv", ("run",)):
            return runner, args[len(words) :]
    return program, args


def _image(args: list[str]) -> str | None:
    if "run" not in args:
        return None
    return _first(args[args.index("run") + 1 :], _DOCKER_TAKING)


def _first(args: Sequence[str], taking: frozenset[str]) -> str | None:
    """The first argument that is neither an option nor the value of one."""
    skip = False
    for arg in args:
        if skip:
            skip = False
        elif arg.startswith("-"):
            skip = arg in taking
        else:
            return arg
    return None
