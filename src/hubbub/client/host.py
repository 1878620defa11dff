"""The machine on which a spoke runs."""

import os
import platform

from hubbub.protocol.specs import HostInfo


def host_info() -> HostInfo:
    """What can be told without asking more than the standard library."""
    return HostInfo(
        os=platform.system().lower(),
        arch=platform.machine(),
        python_version=platform.python_version(),
        memory=_memory_bytes(),
        cpu=os.cpu_count() or 0,
    )


def _memory_bytes() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows; a kernel that does not tell
        return 0
