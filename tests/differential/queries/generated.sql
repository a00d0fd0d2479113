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
