-- Visits {first} to {first} + {count} of {total}, in the order of their time over the 90 days before
-- {now}: for each statement the same visits, told by their number. Split at lines that end in a
-- semicolon.

CREATE OR REPLACE VIEW visits_made AS
SELECT
    number,
    concat('v', toString(cityHash64(number, 1) % {visitors:UInt64})) AS visitor_id,
    ['email', 'organic', 'paid', 'social', 'direct', 'referral', 'affiliate', 'display'][1 + cityHash64(number, 2) % 8] AS channel,
    ['email', 'organic', 'paid'][1 + cityHash64(number, 3) % 3] AS first_channel,
    ['mobile', 'desktop', 'tablet'][1 + cityHash64(number, 4) % 3] AS device,
    ['Chrome', 'Safari', 'Firefox', 'Edge'][1 + cityHash64(number, 5) % 4] AS browser,
    ['Android', 'iOS', 'Windows', 'macOS'][1 + cityHash64(number, 6) % 4] AS os,
    ['DE', 'FR', 'US', 'IN', 'BR', 'GB', 'IT', 'ES', 'PL', 'NL'][1 + cityHash64(number, 7) % 10] AS country,
    concat('c', toString(cityHash64(number, 8) % 20)) AS utm_campaign,
    cityHash64(number, 9) % 40 = 0 AS bot,
    cityHash64(number, 10) % 4 = 0 AS past_buyer,
    toInt64({now:Int64} - 7776000000 + intDiv(number * 7776000000, {total:UInt64})) AS start,
    reinterpretAsUUID(MD5(concat('s', toString(number)))) AS session_id,
    reinterpretAsUUID(MD5(concat('c', toString(number)))) AS cart_id,
    toInt64(cityHash64(number, 12) % 900000) AS stay,
    toUInt32(1 + cityHash64(number, 13) % 6) AS seen,
    cityHash64(number, 14) % 100 AS luck
FROM numbers({first:UInt64}, {count:UInt64});

INSERT INTO sessions (source, session_id, visitor_id, started_ms, ended_ms, duration_ms, open, page_views, events, entry_path, channel, first_channel, utm_campaign, device, browser, os, country, bot, lasting, past_buyer, furthest_stage, post_purchase, engaged, bounced, friction, pages, version)
SELECT
    'shop',
    session_id,
    visitor_id,
    start,
    start + stay,
    if(start + stay + 1800000 > {now:Int64}, NULL, stay),
    start + stay + 1800000 > {now:Int64},
    seen,
    seen + 2,
    '/',
    channel,
    first_channel,
    utm_campaign,
    device,
    browser,
    os,
    country,
    bot,
    true,
    past_buyer,
    ['', 'discovery', 'interest', 'intent', 'purchase'][1 + cityHash64(number, 20) % 5],
    past_buyer,
    if(start + stay + 1800000 > {now:Int64}, NULL, luck % 2 = 0),
    if(start + stay + 1800000 > {now:Int64}, NULL, luck % 2 = 1),
    if(cityHash64(number, 21) % 8 = 0, ['slow_page', 'support_sought'], []),
    arrayMap(i -> (concat('/p/', toString(cityHash64(number, i) % 2000)), ['home', 'category', 'product', 'cart'][1 + (number + i) % 4], concat('cat', toString((number + i) % 30)), start + i, toInt64(5000 + (number * i) % 90000)), range(1, seen + 1)),
    {version:UInt64}
FROM visits_made;

INSERT INTO carts (source, cart_id, visitor_id, session_id, opened_ms, last_activity_ms, bucket_ms, lines, value, currency, outcome, checkout_started, checkout_step, checkout_steps, abandoned_ms, abandoned_value, recovered_ms, order_id, friction, causes, channel, first_channel, utm_campaign, device, browser, os, country, bot, lasting, past_buyer, version)
SELECT
    'shop',
    cart_id,
    visitor_id,
    toString(session_id),
    start,
    start + stay,
    if(start + stay + 1800000 > {now:Int64}, NULL, start + stay),
    [('p', 'Mug', concat('cat', toString(number % 30)), 1000 + luck, 1, '', '')],
    1000 + luck,
    'EUR',
    multiIf(start + stay + 1800000 > {now:Int64}, 'open', luck < 3, 'converted', luck < 4, 'recovered', luck < 5, 'emptied', start < {now:Int64} - 604800000, 'lost', 'abandoned') AS state,
    luck < 7,
    if(luck < 7, ['address', 'payment'][1 + luck % 2], ''),
    if(luck < 7, arraySlice(['address', 'payment'], 1, 1 + luck % 2), []),
    if(state IN ('recovered', 'lost', 'abandoned'), start + stay + 1800000, NULL),
    if(state IN ('recovered', 'lost', 'abandoned'), 1000 + luck, NULL),
    if(state = 'recovered', start + stay + 3600000, NULL),
    if(luck < 4, concat('o', toString(number)), ''),
    if(cityHash64(number, 21) % 8 = 0, ['slow_page'], []),
    if(cityHash64(number, 21) % 8 = 0, ['slow_page'], []),
    channel,
    first_channel,
    utm_campaign,
    device,
    browser,
    os,
    country,
    bot,
    true,
    past_buyer,
    {version:UInt64}
FROM visits_made
WHERE luck < 12;

INSERT INTO orders (source, order_id, visitor_id, event_id, at_ms, kind, named, session_id, cart_id, value, currency, lines, channel, first_channel, utm_campaign, device, browser, os, country, bot, lasting, past_buyer, version)
SELECT
    'shop',
    concat('o', toString(number)),
    visitor_id,
    concat('e', toString(number), '/', toString(copy)),
    if(copy = 2, start + stay + 86400000, start + stay + copy * 1000),
    if(copy = 2, 'refund', 'order'),
    copy != 1,
    if(copy = 0, toString(session_id), ''),
    if(copy = 0, toString(cart_id), ''),
    if(copy = 2, 500, 1000 + luck),
    'EUR',
    [('p', 'Mug', concat('cat', toString(number % 30)), 1000, 1, '', '')],
    channel,
    first_channel,
    utm_campaign,
    device,
    browser,
    os,
    country,
    bot,
    true,
    past_buyer,
    {version:UInt64}
FROM visits_made
ARRAY JOIN if(number % 10 = 0, [0, 1, 2], [0]) AS copy
WHERE luck < 3;

INSERT INTO signals (source, signal_id, kind, visitor_id, at_ms, emitted_ms, session_id, stage, channel, first_channel, utm_campaign, device, browser, os, country, bot, lasting, past_buyer, version)
SELECT
    'shop',
    reinterpretAsUUID(MD5(concat('g', toString(number)))),
    ['bounce', 'cart_abandoned', 'stage_entered', 'slow_page', 'converted'][1 + cityHash64(number, 30) % 5],
    visitor_id,
    start + stay,
    start + stay,
    toString(session_id),
    'discovery',
    channel,
    first_channel,
    utm_campaign,
    device,
    browser,
    os,
    country,
    bot,
    true,
    past_buyer,
    {version:UInt64}
FROM visits_made
WHERE luck < 60;

INSERT INTO events (source, address, event_id, visitor_id, ts_ms, received_ms, append_ms, type, path, page_kind, channel, device, browser, os, country, bot, version)
SELECT
    'shop',
    visitor_id,
    concat(toString(number), '/', toString(place)),
    visitor_id,
    start + place AS at,
    at,
    at,
    ['page_view', 'click', 'product_view'][1 + place % 3],
    concat('/p/', toString(cityHash64(number, place) % 2000)),
    'product',
    channel,
    device,
    browser,
    os,
    country,
    bot,
    {version:UInt64}
FROM visits_made
ARRAY JOIN range(6) AS place
WHERE start > {now:Int64} - 518400000;
