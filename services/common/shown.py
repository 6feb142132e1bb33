"""Settings as a line for another shell, without what is secret in them."""

import shlex
from collections.abc import Mapping
from urllib.parse import urlsplit

from services.common.settings import PREFIX, SECRET

HIDDEN = "***"


def for_shell(environ: Mapping[str, str]) -> str:
    """Return ``NAME=value …`` of these variables, with ``***`` for what may be secret."""
    return " ".join(f"{name}={shlex.quote(_shown(name, value))}" for name, value in environ.items())


def _shown(name: str, value: str) -> str:
    if name.removeprefix(PREFIX).lower() not in SECRET:
        return value
    url = urlsplit(value)
    if url.scheme not in {"http", "https"}:
        return HIDDEN
    if url.query:  # under whatever name it holds a login, and no list of names is whole
        url = url._replace(query=HIDDEN)
    user, at, host = url.netloc.rpartition("@")
    login = f"{user.partition(':')[0]}:{HIDDEN}" if at else ""
    return url._replace(netloc=f"{login}{at}{host}").geturl()
