-- One row an order (DESIGN, Rules: Orders). `head_…` says what it is: its copy with the least time and
-- event id, provisional ones only while there is no other. `whose_…` says who ordered: the copy that
-- names its visitor, else one with a cart, else with a session (of two alike, a visitor's before an
-- alias's: what order storage reads rows in decides nothing). All copies of the orders that have
-- any row near the time asked for are looked at. (Keys are texts: comparing tuples is ten times dearer.)
SELECT
    order_id,
    min(copy.provisional) AS provisional,
    argMin(copy.at_ms, copy.statement) AS head_at_ms,
    argMin(ifNull(copy.value, 0), copy.statement) AS head_value,
    argMin(copy.currency, copy.statement) AS head_currency,
    argMin(copy.lines, copy.statement) AS head_lines,
    argMin(copy.visitor_id, copy.claim) AS whose_visitor_id,
    argMin(copy.user_id, copy.claim) AS whose_user_id,
    argMin(copy.session_id, copy.claim) AS whose_session_id,
    argMin(copy.channel, copy.claim) AS whose_channel,
    argMin(copy.first_channel, copy.claim) AS whose_first_channel,
    argMin(copy.device, copy.claim) AS whose_device,
    argMin(copy.browser, copy.claim) AS whose_browser,
    argMin(copy.os, copy.claim) AS whose_os,
    argMin(copy.country, copy.claim) AS whose_country,
    argMin(copy.utm_source, copy.claim) AS whose_utm_source,
    argMin(copy.utm_medium, copy.claim) AS whose_utm_medium,
    argMin(copy.utm_campaign, copy.claim) AS whose_utm_campaign,
    argMin(copy.lasting, copy.claim) AS whose_lasting,
    argMin(copy.past_buyer, copy.claim) AS whose_past_buyer,
    argMin(copy.bot OR copy.test OR copy.excluded, copy.claim) AS whose_hidden
FROM
(
    SELECT
        *,
        concat(leftPad(toString(at_ms), 15, '0'), event_id) AS place,
        concat(if(provisional, '1', '0'), place) AS statement,
        concat(if(named, '0', '1'), if(cart_id = '', '1', '0'), if(session_id = '', '1', '0'), place,
            if(match(visitor_id, '^(cart|user|order):'), '1', '0'), visitor_id) AS claim
    FROM orders FINAL
    WHERE source = {source:String}
        AND kind = 'order'
        AND $picked
) AS copy
GROUP BY order_id
