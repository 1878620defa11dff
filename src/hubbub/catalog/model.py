"""What an operation is known as: its definition, apart from who offers it."""

from dataclasses import dataclass

from hubbub.operations.validation import Validator
from hubbub.protocol.specs import OperationSpec

REMOVED = "__removed__"
"""The id of the row that keeps the records of calls to operations that are gone."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Definition:
    """A definition as calls need it: published under `id`, stored in the row `row`."""

    row: str
    id: str
    spec: OperationSpec
    inputs: Validator
    outputs: Validator
    sensitive: bool = False

    @property
    def streams(self) -> bool:
        return self.spec.type == "subscription"


def defined(
    row: str,
    spec: OperationSpec,
    *,
    own: bool = False,
    sensitive: bool = False,
    relayed: bool = False,
) -> Definition:
    """The definition that a stored row and a spec make.

    Args:
        own: it is the hub's own, whose outputs are what their types say.
        relayed: who offers it sees for itself whether an input fits, and may take more than it
            says.
    """
    return Definition(
        row=row,
        id=spec.id,
        spec=spec,
        inputs=Validator(True if relayed else spec.input_schema),
        outputs=Validator(True if own else spec.output_schema),
        sensitive=sensitive,
    )
