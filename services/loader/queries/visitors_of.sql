SELECT visitor_id FROM events WHERE source = {source:String} AND user_id = {user:String} AND visitor_id != ''
UNION DISTINCT
SELECT visitor_id FROM sessions WHERE source = {source:String} AND user_id = {user:String}
UNION DISTINCT
SELECT visitor_id FROM carts WHERE source = {source:String} AND user_id = {user:String}
UNION DISTINCT
SELECT visitor_id FROM orders WHERE source = {source:String} AND user_id = {user:String}
UNION DISTINCT
SELECT visitor_id FROM signals WHERE source = {source:String} AND user_id = {user:String}
