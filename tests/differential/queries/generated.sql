-- Found by generated statements, and shrunk.
SELECT NULL FROM customers AS c GROUP BY 1.5;
SELECT city, count(*) FROM customers GROUP BY city, 1e0;
SELECT city FROM customers ORDER BY 1.5;
SELECT DISTINCT city FROM customers ORDER BY 1.5 LIMIT 2;
SELECT 1 x CROSS JOIN customers;
-- parameters: [3]
SELECT (SELECT max(name) FROM customers WHERE id = $1);
-- parameters: {'p1': 1}
SELECT max((SELECT amount FROM orders AS o WHERE o.customer_id = c.id AND o.order_id IN ($p1))) OVER () FROM customers AS c;
-- parameters: [2]
SELECT (SELECT count(c.name) FROM customers c WHERE c.id = o.customer_id AND c.id <= $1), o.status FROM orders AS o;
-- The right side of an ASOF join must be whole: a row without the nearer ones would be the nearest.
SELECT o.order_id, p.order_id FROM orders o ASOF JOIN orders p ON o.status = p.status AND o.order_id > p.order_id WHERE p.order_id = 1004;
SELECT o.order_id, p.order_id FROM orders o ASOF JOIN orders p ON o.status = p.status AND o.order_id > p.order_id WHERE p.customer_id = 15;
SELECT o.order_id, p.order_id FROM orders o ASOF JOIN orders p ON o.status = p.status AND o.order_id >= p.order_id WHERE p.customer_id IS NOT DISTINCT FROM 22 AND p.order_id < 1050;
SELECT o.order_id, c.name FROM orders o ASOF JOIN orders p ON o.status = p.status AND o.order_id > p.order_id JOIN customers c ON c.id = p.customer_id WHERE c.id = 15;
SELECT o.order_id, i.product FROM orders o ASOF JOIN items i ON o.order_id >= i.order_id WHERE i.order_id IN (1010, 1050);
SELECT o.order_id, p.order_id FROM (orders o ASOF JOIN orders p ON o.status = p.status AND o.order_id > p.order_id) JOIN cities ON true WHERE p.customer_id = 15;
SELECT count(*) FROM lonely POSITIONAL JOIN nothing WHERE lonely.k = 7;
-- Names of result columns that are also what the planner would call its own.
SELECT order_id AS c2, customer_id AS c1 FROM orders WHERE c2 > 1040 ORDER BY 1, 2 LIMIT 5;
SELECT DISTINCT order_id AS c2, customer_id AS c1, c2 * 10 FROM orders;
SELECT id, max(name) AS c3, count(*) AS c2 FROM customers GROUP BY id HAVING c2 < 2;
SELECT city AS g2, name AS g1, count(*) FROM customers WHERE g2 IS NOT NULL GROUP BY city, name;
-- A subquery whose text is that of an aggregate or a group outside of it: its columns are its own table's.
SELECT max(city) || (SELECT max(city) FROM cities) FROM customers;
SELECT city, count(*), (SELECT max(city) FROM cities) FROM customers GROUP BY city;
SELECT count(*), (SELECT count(*) FROM cities) FROM orders HAVING count(*) > (SELECT count(*) FROM cities);
SELECT max(city), min(name) FROM customers ORDER BY (SELECT max(city) FROM cities);
