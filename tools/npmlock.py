"""Rebuilds the lock of the Node programs that tests use. It holds versions and hashes, and no place
to fetch from: which registry is asked is the installer's own affair.
"""

import json
import subprocess
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "tests" / "outside"


def main() -> None:
    command = ["npm", "install", "--package-lock-only", "--omit-lockfile-registry-resolved"]
    subprocess.run(command, cwd=FOLDER, check=True)
    path = FOLDER / "package-lock.json"
    lock = json.loads(path.read_text())
    for package in lock["packages"].values():
        package.pop("funding", None)
    path.write_text(json.dumps(lock, indent=2) + "\n")


if __name__ == "__main__":
    main()
