-- The rows of schemas/rows.py and the events they were made from.
--
-- A column bears its field's name; JSON lines of the structs insert straight in. The newest version
-- of an id is the truth, `deleted` takes it back. Each table is partitioned by the month of its
-- anchor event's time, which no later version changes (orders, which a later copy may move, by
-- none). What is counted by time is sorted by (source, day of the anchor, id), so that the newest
-- days, which are read raw, lie together; the rest by (source, id).

CREATE TABLE IF NOT EXISTS events (
    source LowCardinality(String),
    address String,
    event_id String,
    visitor_id String,
    user_id String,
    ts_ms Int64,
    received_ms Int64,
    append_ms Int64,
    type LowCardinality(String),
    name LowCardinality(String),
    origin LowCardinality(String),
    path String,
    page_kind LowCardinality(String),
    channel LowCardinality(String),
    category String,
    product_ids Array(String),
    element String,
    x Nullable(Float32),
    y Nullable(Float32),
    scroll_depth Nullable(Float32),
    cart_id String,
    order_id String,
    value Nullable(Int64),
    currency LowCardinality(String),
    survey_kind LowCardinality(String),
    survey_id String,
    survey_score Nullable(Float64),
    lcp_ms Nullable(Float64),
    inp_ms Nullable(Float64),
    cls Nullable(Float64),
    ttfb_ms Nullable(Float64),
    load_ms Nullable(Float64),
    device LowCardinality(String),
    browser LowCardinality(String),
    os LowCardinality(String),
    country LowCardinality(String),
    bot Bool,
    test Bool,
    excluded Bool,
    body String,
    version UInt64,
    deleted UInt8,
    INDEX by_user user_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version, deleted)
PARTITION BY toYYYYMM(fromUnixTimestamp64Milli(ts_ms, 'UTC'))
ORDER BY (source, address, event_id)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS event_flags (
    source LowCardinality(String),
    visitor_id String,
    event_id String,
    ts_ms Int64,
    flag LowCardinality(String),
    version UInt64,
    deleted UInt8
)
ENGINE = ReplacingMergeTree(version, deleted)
PARTITION BY toYYYYMM(fromUnixTimestamp64Milli(ts_ms, 'UTC'))
ORDER BY (source, visitor_id, event_id, flag)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS sessions (
    source LowCardinality(String),
    session_id UUID,
    visitor_id String,
    user_id String,
    started_ms Int64,
    ended_ms Int64,
    closed_ms Nullable(Int64),
    duration_ms Nullable(Int64),
    open Bool,
    page_views UInt32,
    interactions UInt32,
    events UInt32,
    entry_path String,
    exit_path String,
    referrer String,
    channel LowCardinality(String),
    first_channel LowCardinality(String),
    utm_source LowCardinality(String),
    utm_medium LowCardinality(String),
    utm_campaign LowCardinality(String),
    utm_term String,
    utm_content String,
    device LowCardinality(String),
    browser LowCardinality(String),
    os LowCardinality(String),
    country LowCardinality(String),
    bot Bool,
    test Bool,
    excluded Bool,
    lasting Bool,
    past_buyer Bool,
    variants Map(LowCardinality(String), String),
    current_stage LowCardinality(String),
    furthest_stage LowCardinality(String),
    reached Array(LowCardinality(String)),
    post_purchase Bool,
    engaged Nullable(Bool),
    bounced Nullable(Bool),
    cart_id String,
    checkout_started Bool,
    checkout_step LowCardinality(String),
    friction Array(LowCardinality(String)),
    causes Array(LowCardinality(String)),
    stated_reason String,
    pages Array(Tuple(path String, page_kind LowCardinality(String), category String, at_ms Int64, time_ms Nullable(Int64))),
    truncated Bool,
    policy_version UInt32,
    version UInt64,
    deleted UInt8,
    INDEX by_id session_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_visitor visitor_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_user user_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version, deleted)
PARTITION BY toYYYYMM(fromUnixTimestamp64Milli(started_ms, 'UTC'))
ORDER BY (source, intDiv(started_ms, 86400000), session_id)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS carts (
    source LowCardinality(String),
    cart_id UUID,
    visitor_id String,
    user_id String,
    session_id String,
    opened_ms Int64,
    last_activity_ms Int64,
    client_cart_id String,
    cart_url String,
    bucket_ms Nullable(Int64),
    lines Array(Tuple(product_id String, name String, category String, price Nullable(Int64), quantity Int64, url String, image_url String)),
    value Int64,
    currency LowCardinality(String),
    outcome LowCardinality(String),
    checkout_started Bool,
    checkout_step LowCardinality(String),
    checkout_steps Array(LowCardinality(String)),
    abandoned_ms Nullable(Int64),
    abandoned_value Nullable(Int64),
    reopened_ms Nullable(Int64),
    recovered_ms Nullable(Int64),
    lost_ms Nullable(Int64),
    emptied_ms Nullable(Int64),
    converted_ms Nullable(Int64),
    order_id String,
    marketing_consent Nullable(Bool),
    friction Array(LowCardinality(String)),
    causes Array(LowCardinality(String)),
    stated_reason String,
    truncated Bool,
    channel LowCardinality(String),
    first_channel LowCardinality(String),
    utm_source LowCardinality(String),
    utm_medium LowCardinality(String),
    utm_campaign LowCardinality(String),
    utm_term String,
    utm_content String,
    device LowCardinality(String),
    browser LowCardinality(String),
    os LowCardinality(String),
    country LowCardinality(String),
    bot Bool,
    test Bool,
    excluded Bool,
    lasting Bool,
    past_buyer Bool,
    variants Map(LowCardinality(String), String),
    policy_version UInt32,
    version UInt64,
    deleted UInt8,
    INDEX by_id cart_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_visitor visitor_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_user user_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version, deleted)
PARTITION BY toYYYYMM(fromUnixTimestamp64Milli(opened_ms, 'UTC'))
ORDER BY (source, intDiv(opened_ms, 86400000), cart_id)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS orders (
    source LowCardinality(String),
    order_id String,
    visitor_id String,
    event_id String,
    user_id String,
    at_ms Int64,
    kind LowCardinality(String),
    named Bool,
    session_id String,
    cart_id String,
    value Nullable(Int64),
    shipping Nullable(Int64),
    tax Nullable(Int64),
    discount Nullable(Int64),
    currency LowCardinality(String),
    lines Array(Tuple(product_id String, name String, category String, price Nullable(Int64), quantity Int64, url String, image_url String)),
    payment_method LowCardinality(String),
    provisional Bool,
    channel LowCardinality(String),
    first_channel LowCardinality(String),
    utm_source LowCardinality(String),
    utm_medium LowCardinality(String),
    utm_campaign LowCardinality(String),
    utm_term String,
    utm_content String,
    device LowCardinality(String),
    browser LowCardinality(String),
    os LowCardinality(String),
    country LowCardinality(String),
    bot Bool,
    test Bool,
    excluded Bool,
    lasting Bool,
    past_buyer Bool,
    variants Map(LowCardinality(String), String),
    policy_version UInt32,
    version UInt64,
    deleted UInt8,
    INDEX by_visitor visitor_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_user user_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version, deleted)
ORDER BY (source, order_id, visitor_id, event_id)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS signals (
    source LowCardinality(String),
    signal_id UUID,
    kind LowCardinality(String),
    visitor_id String,
    user_id String,
    at_ms Int64,
    emitted_ms Int64,
    session_id String,
    cart_id String,
    stage LowCardinality(String),
    value Nullable(Int64),
    currency LowCardinality(String),
    cart_url String,
    lines Array(Tuple(product_id String, name String, category String, price Nullable(Int64), quantity Int64, url String, image_url String)),
    marketing_consent Nullable(Bool),
    causes Array(LowCardinality(String)),
    stated_reason String,
    details Map(LowCardinality(String), String),
    retracted Bool,
    channel LowCardinality(String),
    first_channel LowCardinality(String),
    utm_source LowCardinality(String),
    utm_medium LowCardinality(String),
    utm_campaign LowCardinality(String),
    utm_term String,
    utm_content String,
    device LowCardinality(String),
    browser LowCardinality(String),
    os LowCardinality(String),
    country LowCardinality(String),
    bot Bool,
    test Bool,
    excluded Bool,
    lasting Bool,
    past_buyer Bool,
    variants Map(LowCardinality(String), String),
    policy_version UInt32,
    version UInt64,
    deleted UInt8,
    INDEX by_id signal_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_visitor visitor_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_user user_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version, deleted)
PARTITION BY toYYYYMM(fromUnixTimestamp64Milli(at_ms, 'UTC'))
ORDER BY (source, intDiv(at_ms, 86400000), signal_id)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS annotations (
    source LowCardinality(String),
    id String,
    at_ms Int64,
    until_ms Nullable(Int64),
    title String,
    text String,
    tags Array(String),
    version UInt64,
    deleted UInt8
)
ENGINE = ReplacingMergeTree(version, deleted)
ORDER BY (source, id)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS dead_letters (
    source LowCardinality(String),
    id String,
    received_ms Int64,
    code LowCardinality(String),
    field String,
    message String,
    original String,
    base64 Bool,
    event_id String,
    topic LowCardinality(String),
    partition Nullable(Int32),
    offset Nullable(Int64),
    version UInt64,
    deleted UInt8
)
ENGINE = ReplacingMergeTree(version, deleted)
PARTITION BY toYYYYMM(fromUnixTimestamp64Milli(received_ms, 'UTC'))
ORDER BY (source, id)
SETTINGS non_replicated_deduplication_window = 1000;
