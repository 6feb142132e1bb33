"""The one list of file formats, by the name a command takes."""

from services.common.errors import InvalidError
from services.formats import canonical, otto, rees46, segment
from services.formats.items import Format

FORMATS: dict[str, Format] = {
    "waymark": canonical.read,
    "segment": segment.read,
    "rees46": rees46.read,
    "otto": otto.read,
}


def format_named(name: str) -> Format:
    """Return a format. Raises ``InvalidError`` naming the known ones."""
    if name not in FORMATS:
        raise InvalidError(f"format = {name!r} is none of {', '.join(FORMATS)}")
    return FORMATS[name]
