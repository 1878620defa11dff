"""The schema's history.

`HEAD` is the newest revision, so that a start-up can tell whether there is
anything to do without importing Alembic, which takes most of a second.
"""

from typing import Final

HEAD: Final = "0004"
