-- Imports under way, by the server's clock: while one is seen alive, raw events of its source stay
-- however old they are, for they are not folded yet (services/loader/importing.py).

CREATE TABLE IF NOT EXISTS imports (
    source LowCardinality(String),
    id String,
    seen DateTime64(6, 'UTC') DEFAULT now64(6),
    version UInt64 DEFAULT toUnixTimestamp64Micro(now64(6)),
    deleted UInt8
)
ENGINE = ReplacingMergeTree(version, deleted)
ORDER BY (source, id)
SETTINGS non_replicated_deduplication_window = 1000;
