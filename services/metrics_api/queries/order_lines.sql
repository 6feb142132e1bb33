-- One row a category of an order with its lines' revenue, and one, (unallocated), for what is left of
-- the order's value, so that categories add up. An order counts once in each category it holds.
SELECT
    head.at_ms AS t,
    head.currency AS currency,
    whose.channel AS channel,
    whose.first_channel AS first_channel,
    whose.device AS device,
    whose.browser AS browser,
    whose.os AS os,
    whose.country AS country,
    whose.utm_source AS utm_source,
    whose.utm_medium AS utm_medium,
    whose.utm_campaign AS utm_campaign,
    if(whose.past_buyer, 'returning', 'new') AS customer_type,
    arrayMap(line -> if(line.category = '', '(none)', line.category), head.lines) AS names,
    arrayMap(line -> ifNull(line.price, 0) * line.quantity, head.lines) AS amounts,
    arraySum(amounts) AS allocated,
    if(head.value = allocated, [], [('(unallocated)', toInt64(0), head.value - allocated)]) AS rest,
    arrayMap(name -> (name, toInt64(1), arraySum((amount, of) -> if(of = name, amount, 0), amounts, names)), arrayDistinct(names)) AS parts,
    arrayJoin(arrayConcat(parts, rest)) AS part,
    part.1 AS category,
    part.2 AS orders,
    part.3 AS revenue
FROM ($orders)
WHERE NOT provisional AND ({bots:UInt8} OR NOT whose.hidden)
