order_id IN (SELECT order_id FROM orders WHERE source = {source:String} AND $kinds AND ($ordered))
