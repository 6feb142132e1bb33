-- Roll-ups: the sums of each fact by bucket and set of dimensions ("cube"), written by the seal job
-- alone. A row counts only while `seals` names its version for its bucket and is not dirty; so a
-- seal that a crash cut short counts nothing. `d1` to `d4` are the cube's dimensions in order.

CREATE TABLE IF NOT EXISTS seals (
    source LowCardinality(String),
    fact LowCardinality(String),
    tz LowCardinality(String),
    bucket_ms Int64,
    end_ms Int64,
    version UInt64,
    dirty Bool
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (source, fact, tz, bucket_ms);

CREATE TABLE IF NOT EXISTS rollup_sessions (
    source LowCardinality(String),
    cube LowCardinality(String),
    t Int64,
    d1 String,
    d2 String,
    d3 String,
    d4 String,
    version UInt64,
    sessions Int64,
    undecided Int64,
    views Int64,
    closed Int64,
    closed_views Int64,
    duration Int64,
    viewed Int64,
    bounces Int64,
    engagements Int64,
    discovery Int64,
    interest Int64,
    intent Int64,
    purchase Int64,
    engagement Int64,
    supported Int64,
    converted Int64
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(fromUnixTimestamp64Milli(t, 'UTC'))
ORDER BY (source, cube, t, d1, d2, d3, d4)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS rollup_visits (
    source LowCardinality(String),
    cube LowCardinality(String),
    t Int64,
    d1 String,
    d2 String,
    d3 String,
    d4 String,
    version UInt64,
    visitor AggregateFunction(uniq, String)
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(fromUnixTimestamp64Milli(t, 'UTC'))
ORDER BY (source, cube, t, d1, d2, d3, d4)
SETTINGS non_replicated_deduplication_window = 1000, index_granularity = 128, index_granularity_bytes = 1048576;

CREATE TABLE IF NOT EXISTS rollup_pages (
    source LowCardinality(String),
    cube LowCardinality(String),
    t Int64,
    d1 String,
    d2 String,
    d3 String,
    d4 String,
    version UInt64,
    undecided Int64,
    views Int64,
    closed_views Int64,
    exits Int64,
    timed Int64,
    time_ms Int64,
    timed_ms AggregateFunction(quantileDD(0.005, 0.5), Nullable(Int64))
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(fromUnixTimestamp64Milli(t, 'UTC'))
ORDER BY (source, cube, t, d1, d2, d3, d4)
SETTINGS non_replicated_deduplication_window = 1000, index_granularity = 128, index_granularity_bytes = 1048576;

CREATE TABLE IF NOT EXISTS rollup_carts (
    source LowCardinality(String),
    cube LowCardinality(String),
    t Int64,
    d1 String,
    d2 String,
    d3 String,
    d4 String,
    version UInt64,
    undecided Int64,
    resolved Int64,
    abandoned Int64,
    unrecovered Int64,
    carts Int64,
    recovered Int64,
    net Int64,
    checkouts_undecided Int64,
    checkouts Int64,
    checkouts_abandoned Int64,
    abandoned_value Int64,
    recovered_value Int64
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(fromUnixTimestamp64Milli(t, 'UTC'))
ORDER BY (source, cube, t, d1, d2, d3, d4)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS rollup_steps (
    source LowCardinality(String),
    cube LowCardinality(String),
    t Int64,
    d1 String,
    d2 String,
    d3 String,
    d4 String,
    version UInt64,
    checkouts_undecided Int64,
    checkouts Int64,
    checkouts_abandoned Int64
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(fromUnixTimestamp64Milli(t, 'UTC'))
ORDER BY (source, cube, t, d1, d2, d3, d4)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS rollup_frictions (
    source LowCardinality(String),
    cube LowCardinality(String),
    t Int64,
    d1 String,
    d2 String,
    d3 String,
    d4 String,
    version UInt64,
    undecided Int64,
    resolved Int64,
    abandoned Int64,
    named Int64
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(fromUnixTimestamp64Milli(t, 'UTC'))
ORDER BY (source, cube, t, d1, d2, d3, d4)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS rollup_sales (
    source LowCardinality(String),
    cube LowCardinality(String),
    t Int64,
    d1 String,
    d2 String,
    d3 String,
    d4 String,
    version UInt64,
    orders Int64,
    revenue Int64
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(fromUnixTimestamp64Milli(t, 'UTC'))
ORDER BY (source, cube, t, d1, d2, d3, d4)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS rollup_refunds (
    source LowCardinality(String),
    cube LowCardinality(String),
    t Int64,
    d1 String,
    d2 String,
    d3 String,
    d4 String,
    version UInt64,
    refunds Int64,
    cancels Int64
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(fromUnixTimestamp64Milli(t, 'UTC'))
ORDER BY (source, cube, t, d1, d2, d3, d4)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS rollup_order_lines (
    source LowCardinality(String),
    cube LowCardinality(String),
    t Int64,
    d1 String,
    d2 String,
    d3 String,
    d4 String,
    version UInt64,
    orders Int64,
    revenue Int64
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(fromUnixTimestamp64Milli(t, 'UTC'))
ORDER BY (source, cube, t, d1, d2, d3, d4)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS rollup_signals (
    source LowCardinality(String),
    cube LowCardinality(String),
    t Int64,
    d1 String,
    d2 String,
    d3 String,
    d4 String,
    version UInt64,
    signals Int64
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(fromUnixTimestamp64Milli(t, 'UTC'))
ORDER BY (source, cube, t, d1, d2, d3, d4)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS rollup_events (
    source LowCardinality(String),
    cube LowCardinality(String),
    t Int64,
    d1 String,
    d2 String,
    d3 String,
    d4 String,
    version UInt64,
    events Int64
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(fromUnixTimestamp64Milli(t, 'UTC'))
ORDER BY (source, cube, t, d1, d2, d3, d4)
SETTINGS non_replicated_deduplication_window = 1000;
