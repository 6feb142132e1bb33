-- One row a category of an order with its lines' revenue, and one, (unallocated), for what is left of
-- the order's value, so that categories add up. An order counts once in each category it holds.
SELECT
    head_at_ms AS t,
    head_currency AS currency,
    $whose,
    arrayMap(line -> if(line.category = '', '(none)', line.category), head_lines) AS names,
    arrayMap(line -> ifNull(line.price, 0) * line.quantity, head_lines) AS amounts,
    arraySum(amounts) AS allocated,
    if(head_value = allocated, [], [('(unallocated)', toInt64(0), head_value - allocated)]) AS rest,
    arrayMap(name -> (name, toInt64(1), arraySum((amount, of) -> if(of = name, amount, 0), amounts, names)), arrayDistinct(names)) AS parts,
    arrayJoin(arrayConcat(parts, rest)) AS part,
    part.1 AS category,
    part.2 AS orders,
    part.3 AS revenue
FROM ($orders)
WHERE NOT provisional AND ({bots:UInt8} OR NOT whose_hidden)
