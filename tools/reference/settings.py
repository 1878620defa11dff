"""Settings, from wherever they are taken."""

import msgspec

from hubbub.interfaces.cli.serve import serve
from hubbub.settings import PREFIX, Settings
from reference.markdown import table
from reference.schemas import Schema, json_text, type_text
from reference.told import below_fields


def page() -> str:
    told = below_fields(Settings)
    flags = {str(param.name): max(param.opts, key=len) for param in serve.params}
    rows = (
        (
            f"`{field.name}`",
            f"`{PREFIX}{field.name.upper()}`",
            f"`{flags[field.name]}`" if field.name in flags else "",
            type_text(_schema_of_field(field)),
            "" if field.default is msgspec.NODEFAULT else json_text(field.default),
            told.get(field.name, ""),
        )
        for field in msgspec.structs.fields(Settings)
    )
    return "\n\n".join(
        (
            "# Settings",
            "Read once, when the hub starts: from the file that `hubbub serve --config` names "
            f"(TOML, the names as below), then from `{PREFIX}*`, then from the options of that "
            "command. What comes later holds. Times are in seconds, sizes in bytes. A name that "
            "the file spells wrong stops the start.",
            table(("setting", "environment", "option", "type", "default", ""), rows),
            "The command line itself reads `HUBBUB_URL`: which hub is meant.",
        )
    )


def _schema_of_field(field: msgspec.structs.FieldInfo) -> Schema:
    return msgspec.json.schema(field.type)
