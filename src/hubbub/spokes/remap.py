"""Under which names a spoke's operations are known to the hub. No I/O."""

import msgspec

from hubbub.protocol.specs import OperationSpec


def remapped(spec: OperationSpec, spoke_id: str) -> OperationSpec:
    """`dev.fs` + `read` becomes `dev.{spokeId}.fs` + `read`; a shared operation keeps its name."""
    if spec.shared:
        return spec
    root, dot, rest = spec.namespace.partition(".")
    return msgspec.structs.replace(spec, namespace=f"{root}.{spoke_id}{dot}{rest}")
