"""Settings: environment ``WAYMARK_*`` over ``waymark.toml`` over the defaults below, frozen.

Only what a part really reads is known here. An unknown or malformed setting stops the start and
names its key and value, so that a typing error is never a silent default.
"""

import ipaddress
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from services.common.errors import InvalidError

PREFIX = "WAYMARK_"
TEST_PREFIXES = ("WAYMARK_TEST_", "WAYMARK_REQUIRE_")
"""Variables that steer the project's own tests; they may stand in any environment."""
SECRET = frozenset(
    {"write_keys", "read_tokens", "kafka_password", "clickhouse", "clickhouse_eraser"}
)
"""Settings whose value is never repeated in a message."""

PLAIN = {
    "int_parsing": "is no whole number",
    "int_type": "is no whole number",
    "int_from_float": "is no whole number",
    "float_parsing": "is no number",
    "float_type": "is no number",
    "bool_parsing": "is neither true nor false",
    "bool_type": "is neither true nor false",
    "string_type": "is no text",
    "greater_than_equal": "is less than {ge}",
    "less_than_equal": "is more than {le}",
    "literal_error": "is none of {expected}",
    "string_pattern_mismatch": "is not of the form {pattern}",
    "value_error": "is wrong: {error}",
}
"""What is wrong with a value, by pydantic's name of it, in words that go on from the value."""


def _parts(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _network(value: str) -> str:
    return str(ipaddress.ip_network(value, strict=False))


def _write_key(value: str) -> str:
    source, sign, key = value.partition("=")
    if not (source and sign and key):
        raise ValueError("each write key is written source=key")
    return value


Texts = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_parts)]
Networks = Annotated[
    tuple[Annotated[str, AfterValidator(_network)], ...], NoDecode, BeforeValidator(_parts)
]
WriteKeys = Annotated[
    tuple[Annotated[str, AfterValidator(_write_key)], ...], NoDecode, BeforeValidator(_parts)
]


class Settings(BaseSettings):
    """Every setting with its default and meaning; ``docs/settings.md`` is generated from here."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    data: Path = Field(Path("waymark-data"), description="Folder of log, state and storage.")
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8080, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    write_keys: WriteKeys = Field(
        (), description="Extra server keys, `source=key,…`, beside those made by `waymark keys`."
    )
    read_tokens: Texts = Field((), description="Extra read tokens, `token[:source],…`.")
    open_reads: bool | None = Field(
        None, description="Reads need no token; unset: only while listening on loopback."
    )
    hosts: Texts = Field(
        (), description="Host names under which the service is called, beside loopback's own."
    )
    trusted_proxies: Networks = Field(
        (), description="Networks whose forwarded client address is believed, comma-separated."
    )
    country_header: str = Field(
        "", description="Header of a trusted proxy that carries the client's country code."
    )
    policy: Path | None = Field(None, description="Policy file (TOML) over the default rules.")
    in_flight_bytes: int = Field(
        64 * 1024 * 1024, ge=1_000_000, description="Unanswered request bytes before 429."
    )
    log_keep_hours: int = Field(
        72, ge=1, description="Hours a record stays in the log after it is applied and stored."
    )
    log_keep_bytes: int = Field(
        10 * 1024**3,
        ge=1_000_000,
        description="Bytes of the log beyond which applied and stored records go sooner.",
    )
    events_keep_days: int = Field(
        400,
        ge=1,
        description="Days raw events are kept, 98 hours at least; aggregates outlive them.",
    )
    kafka: str = Field(
        "", description="Kafka's bootstrap servers, `host:port,…`; empty: no Kafka, one process."
    )
    kafka_security: Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"] = Field(
        "plaintext", description="How to talk to Kafka."
    )
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "SCRAM-SHA-512", description="How to log in to Kafka where its security has `sasl`."
    )
    kafka_username: str = Field("", description="User name for Kafka.")
    kafka_password: str = Field("", repr=False, description="Its password.")
    kafka_ca: Path | None = Field(
        None, description="Authorities (PEM) who vouch for Kafka; unset: those of the system."
    )
    kafka_cert: Path | None = Field(None, description="Our own certificate (PEM) for Kafka.")
    kafka_key: Path | None = Field(None, description="The certificate's private key (PEM).")
    kafka_prefix: str = Field(
        "waymark",
        pattern=r"^[a-zA-Z0-9_-]{1,64}$",
        description="What the names of topics, consumer groups and transactions begin with.",
    )
    kafka_group: str = Field(
        "waymark",
        pattern=r"^[a-zA-Z0-9_-]{1,64}$",
        description="Consumer group of the sessionizer's workers: `PREFIX.GROUP`; the loaders' is "
        "`PREFIX.GROUP.loader`.",
    )
    kafka_partitions: int = Field(
        64, ge=1, le=10_000, description="Partitions of the log, fixed when its topics are made."
    )
    kafka_replication: int = Field(1, ge=1, le=32, description="Copies of each partition.")
    kafka_min_insync: int = Field(
        1, ge=1, le=32, description="Copies that must have a write before it is acknowledged."
    )
    kafka_patience_seconds: int = Field(
        40,
        ge=1,
        le=900,  # more is more than brokers let a transaction last (transaction.max.timeout.ms)
        description="Seconds a worker's write may wait for brokers before it ends itself, to be "
        "started again; brokers abort what it left open after as long.",
    )
    kafka_keep_hours: int = Field(
        168, ge=1, description="Hours that events and rows stay in Kafka, whoever has read them."
    )
    clickhouse: str = Field(
        "",
        repr=False,
        description="ClickHouse, `http(s)://user:password@host:8123/db`; empty: the embedded one.",
    )
    clickhouse_eraser: str = Field(
        "",
        repr=False,
        description="The same as a user who may delete: the metrics API erases persons with it; "
        "empty: with `WAYMARK_CLICKHOUSE`.",
    )
    clickhouse_cluster: str = Field(
        "", description="Name of the ClickHouse cluster; empty: a single server."
    )
    advertise: str = Field(
        "", description="URL under which other parts reach this worker; empty: its host and port."
    )
    poison_share: float = Field(
        0.2,
        ge=0,
        le=1,
        description="Share of a partition's newest records that may be unreadable before its "
        "worker stops; 1 never stops it.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severe log line that is written."
    )
    log_format: Literal["auto", "console", "json"] = Field(
        "auto", description="Log lines for people or machines; auto: people on a terminal."
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take values from the caller alone: ``load`` has merged file and environment already."""
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)


def load(
    environ: Mapping[str, str] | None = None,
    file: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> Settings:
    """Return the settings of an environment, a TOML file and a command line, the last winning.

    ``file`` defaults to ``waymark.toml`` where it exists. Raises ``InvalidError`` naming key and
    value (never a secret's) of the first setting that is unknown or malformed.
    """
    values = _from_file(file) | _from_environ(os.environ if environ is None else environ)
    values |= {key: value for key, value in (overrides or {}).items() if value is not None}
    try:
        return Settings(**values)
    except ValidationError as error:
        raise InvalidError(_explain(error)) from error


def _from_file(file: Path | None) -> dict[str, Any]:
    path = file or Path("waymark.toml")
    if not path.exists():
        if file is not None:
            raise InvalidError(f"settings file {file} does not exist")
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidError(f"settings file {path} is not TOML: {error}") from error


def _from_environ(environ: Mapping[str, str]) -> dict[str, Any]:
    return {
        key.removeprefix(PREFIX).lower(): value
        for key, value in environ.items()
        if key.startswith(PREFIX) and not key.startswith(TEST_PREFIXES)
    }


def _explain(error: ValidationError) -> str:
    first = error.errors()[0]
    key = str(first["loc"][0]) if first["loc"] else "?"
    name = PREFIX + key.upper()
    if first["type"] == "extra_forbidden":
        return f"unknown setting {name} ({key} in waymark.toml)"
    value = "(hidden)" if key in SECRET else repr(first["input"])
    plain = PLAIN.get(first["type"])
    why = f" {plain.format(**first.get('ctx', {}))}" if plain else f": {first['msg']}"
    return f"setting {name} = {value}{why}"
