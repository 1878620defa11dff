"""Make docs/images/demo.svg: what `hubbub demo` shows, as it is on a screen.

The demo really runs, on a copy of docs/decisions; its colours become those of the picture. Times
and numbers of processes differ from run to run, so nothing checks the picture.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

ROOT: Final = Path(__file__).parents[1]
TARGET: Final = ROOT / "docs" / "images" / "demo.svg"
COLUMNS: Final = 88

THEME: Final = TerminalTheme(
    (22, 27, 34),
    (201, 209, 217),
    [
        (72, 79, 88), (255, 123, 114), (63, 185, 80), (210, 153, 34),
        (88, 166, 255), (188, 140, 255), (57, 197, 207), (177, 186, 196),
    ],
    [
        (110, 118, 129), (255, 161, 152), (86, 211, 100), (227, 179, 65),
        (121, 192, 255), (210, 168, 255), (86, 212, 221), (240, 246, 252),
    ],
)  # fmt: skip

# As rich has it, but for fonts from elsewhere: a picture asks nobody for anything.
FORMAT: Final = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{
  font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  font-size: {char_height}px; line-height: {line_height}px; font-variant-east-asian: full-width;
}}
.{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix" xml:space="preserve">
{matrix}
</g>
</g>
</svg>
"""


def main() -> None:
    screen = Console(record=True, width=COLUMNS, file=open(os.devnull, "w"))  # noqa: SIM115
    screen.print(Text.from_ansi(demo()), end="")
    svg = screen.export_svg(title="hubbub demo", theme=THEME, code_format=FORMAT, unique_id="demo")
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text("\n".join(line.rstrip() for line in svg.splitlines()) + "\n")


def demo() -> str:
    """What the demo prints, in colour."""
    folder = Path(tempfile.gettempdir(), "hubbub")
    shutil.copytree(ROOT / "docs" / "decisions", folder)  # refused if it is there
    try:
        return subprocess.run(
            [sys.executable, "-m", "hubbub", "demo", "--root", str(folder)],
            env={
                "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
                "FORCE_COLOR": "1",
                "TERM": "xterm-256color",
                "COLUMNS": str(COLUMNS),
            },
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
