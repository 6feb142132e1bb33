"""How every client of ours reaches Kafka: addresses, TLS and login out of the settings."""

from typing import Any

from aiokafka.helpers import create_ssl_context

from services.common.errors import InvalidError
from services.common.settings import Settings

METADATA_MS = 10_000
"""So often every client asks anew where partitions are (its own default is five minutes).

A broker that has just come back may know of no topic for a moment. Whoever leads a group then gives
nobody anything, and gives anew only once it has asked again.
"""

TAKES = {
    "ssl": "TLS, with a certificate that WAYMARK_KAFKA_CA vouches for",
    "sasl": "a login of this WAYMARK_KAFKA_SASL_MECHANISM, user and password",
}
"""What a port must take for a security that has this in its name."""


def client_options(settings: Settings) -> dict[str, Any]:
    """Return the keyword arguments that every aiokafka client takes.

    Raises ``InvalidError`` naming the setting that is missing or cannot be; never shows a secret.
    """
    if not settings.kafka:
        raise InvalidError("setting WAYMARK_KAFKA is empty: name Kafka's bootstrap servers")
    options: dict[str, Any] = {
        "bootstrap_servers": [server.strip() for server in settings.kafka.split(",")],
        "security_protocol": settings.kafka_security.upper(),
        "metadata_max_age_ms": METADATA_MS,
    }
    if settings.kafka_security.endswith("ssl"):
        options["ssl_context"] = _tls(settings)
    if settings.kafka_security.startswith("sasl"):
        options |= _login(settings)
    return options


def why(settings: Settings, error: BaseException) -> str:
    """Return what an error of aiokafka's says, and how we talk where that may be what is wrong.

    Of a handshake with a port of another kind the library says next to nothing.
    """
    name, said = type(error).__name__, str(error)
    said = said if name in said else f"{name} {said}".strip()
    kind = settings.kafka_security
    takes = " and ".join(what for name, what in TAKES.items() if name in kind)
    if not takes:
        return said
    return f"{said}. WAYMARK_KAFKA_SECURITY = {kind!r}: does this port take {takes}?"


def worker_group(settings: Settings) -> str:
    """Return the consumer group of all workers; prefix and group have no dot, so none collide."""
    return f"{settings.kafka_prefix}.{settings.kafka_group}"


def loader_group(settings: Settings) -> str:
    """Return the consumer group of all loaders."""
    return f"{worker_group(settings)}.loader"


def _tls(settings: Settings) -> Any:
    if (settings.kafka_cert is None) != (settings.kafka_key is None):
        raise InvalidError("WAYMARK_KAFKA_CERT and WAYMARK_KAFKA_KEY belong together: set both")
    for path in (settings.kafka_ca, settings.kafka_cert, settings.kafka_key):
        if path is not None and not path.is_file():
            raise InvalidError(f"file {path} of the settings WAYMARK_KAFKA_* does not exist")
    try:
        return create_ssl_context(
            cafile=settings.kafka_ca and str(settings.kafka_ca),
            certfile=settings.kafka_cert and str(settings.kafka_cert),
            keyfile=settings.kafka_key and str(settings.kafka_key),
        )
    except OSError as error:  # ssl.SSLError is one
        raise InvalidError(
            f"the files of WAYMARK_KAFKA_CA, _CERT, _KEY cannot be used: {error}"
        ) from error


def _login(settings: Settings) -> dict[str, Any]:
    for name in ("kafka_username", "kafka_password"):
        if not getattr(settings, name):
            raise InvalidError(
                f"setting WAYMARK_{name.upper()} is empty, and WAYMARK_KAFKA_SECURITY = "
                f"{settings.kafka_security!r} logs in"
            )
    return {
        "sasl_mechanism": settings.kafka_sasl_mechanism,
        "sasl_plain_username": settings.kafka_username,
        "sasl_plain_password": settings.kafka_password,
    }
