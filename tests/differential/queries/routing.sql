-- Conditions on shard keys: which shards are needed, and none too few.
SELECT * FROM customers WHERE id = 5;
SELECT * FROM customers WHERE 5 = id;
SELECT name FROM customers WHERE id = -7;
SELECT name FROM customers WHERE id = - 7 AND id < 0;
SELECT * FROM customers WHERE id = 999;
SELECT * FROM customers WHERE id IS NULL;
SELECT * FROM customers WHERE id IS NOT NULL AND id > 38;
SELECT * FROM customers WHERE id = NULL;
SELECT * FROM customers WHERE id <> NULL;
SELECT count(*) FROM customers WHERE id = NULL;
SELECT * FROM customers WHERE id IS NOT DISTINCT FROM NULL;
SELECT * FROM customers WHERE id IS NOT DISTINCT FROM 4;
SELECT * FROM customers WHERE id IS DISTINCT FROM 4;
SELECT id FROM customers WHERE id IN (1, 2, 3);
SELECT id FROM customers WHERE id IN (1);
SELECT id FROM customers WHERE id IN (1, NULL);
SELECT id FROM customers WHERE id IN (NULL);
SELECT id FROM customers WHERE id NOT IN (1, 2, 3);
SELECT id FROM customers WHERE id NOT IN (1, NULL);
SELECT id FROM customers WHERE (id) IN (4, 5 + 1);
SELECT id FROM customers WHERE id IN (SELECT 4 UNION ALL SELECT 6);
SELECT id FROM customers WHERE id BETWEEN 3 AND 8;
SELECT id FROM customers WHERE id BETWEEN 8 AND 3;
SELECT id FROM customers WHERE id BETWEEN SYMMETRIC 8 AND 3;
SELECT id FROM customers WHERE id NOT BETWEEN 3 AND 35;
SELECT id FROM customers WHERE id BETWEEN NULL AND 8;
SELECT id FROM customers WHERE id > 35;
SELECT id FROM customers WHERE 35 <= id;
SELECT id FROM customers WHERE id < 0;
SELECT id FROM customers WHERE id > 10 AND id <= 13;
SELECT id FROM customers WHERE id > 10 AND id < 11;
SELECT id FROM customers WHERE id > 13 AND id < 10;
SELECT id FROM customers WHERE id = 1 AND id = 2;
SELECT count(*), sum(balance) FROM customers WHERE id = 1 AND id = 2;
SELECT count(*) FROM customers WHERE id = 1 AND id = 2 HAVING count(*) = 0;
SELECT max(id) FROM customers WHERE id IN (1, 2) AND id IN (3, 4);
SELECT id FROM customers WHERE id IN (1, 2, 3) AND id IN (2, 3, 4);
SELECT id FROM customers WHERE id = 1 OR id = 2;
SELECT id FROM customers WHERE id = 1 OR id IS NULL;
SELECT id FROM customers WHERE id = 1 OR id = NULL;
SELECT id FROM customers WHERE id = 1 OR name = 'name 2';
SELECT id FROM customers WHERE id = 1 OR id > 38;
SELECT id FROM customers WHERE (id = 1 OR id = 2) AND (id = 2 OR id = 3);
SELECT id FROM customers WHERE (id = 1 AND city IS NOT NULL) OR (id = 2 AND vip);
SELECT id FROM customers WHERE NOT (id = 1);
SELECT id FROM customers WHERE NOT (id <> 7);
SELECT id FROM customers WHERE NOT id IN (1, 2) AND id < 5;
SELECT id FROM customers WHERE (id = 3) IS TRUE;
SELECT id FROM customers WHERE (id = 3) IS NOT TRUE;
SELECT id FROM customers WHERE (id = 3) = false;
SELECT id FROM customers WHERE (id = 3) IS NULL;
SELECT id FROM customers WHERE coalesce(id, 0) = 0;
SELECT id FROM customers WHERE id + 0 = 5;
SELECT id FROM customers WHERE id = 2 + 3;
SELECT id FROM customers WHERE -id = 7 OR -id = -7;
SELECT id FROM customers WHERE id = 5.0;
SELECT id FROM customers WHERE id = 5.4;
SELECT id FROM customers WHERE id < 5.4;
SELECT id FROM customers WHERE id = 5e0;
SELECT id FROM customers WHERE id IN (5.4, 6);
SELECT id FROM customers WHERE id BETWEEN 4.5 AND 5.5;
SELECT id FROM customers WHERE id = '5';
SELECT id FROM customers WHERE id = ' 5 ';
SELECT id FROM customers WHERE id = '5.4';
SELECT id FROM customers WHERE id = 'five';
SELECT id FROM customers WHERE id = '5'::INTEGER;
SELECT id FROM customers WHERE id = CAST(5.6 AS INTEGER);
SELECT id FROM customers WHERE id = 5::DOUBLE;
SELECT id FROM customers WHERE id = 5::TINYINT;
SELECT id FROM customers WHERE id = TRY_CAST('x' AS INTEGER);
SELECT id FROM customers WHERE id = 9999999999;
SELECT id FROM customers WHERE id < 9999999999 AND id > 38;
SELECT id FROM customers WHERE id = 99999999999999999999999999999999999999;
SELECT id FROM customers WHERE id = 0x05;
SELECT id FROM customers WHERE id = 1_0;
SELECT id FROM customers WHERE id = true;
SELECT id FROM customers WHERE id::VARCHAR = '5';
SELECT id FROM customers WHERE id = (SELECT 5);
SELECT id FROM customers WHERE id = ANY([4, 5]);
SELECT id FROM customers WHERE id = ALL (SELECT 5);
SELECT id FROM customers WHERE list_contains([4, 5], id);
SELECT id FROM customers WHERE id IN [4, 5];
SELECT id FROM customers WHERE (id, city) IN ((5, 'Nowhere'), (6, 'Bern'));
SELECT id FROM customers WHERE (id, city) = (5, 'Nowhere');
SELECT id FROM customers WHERE row(id, 1) = row(5, 1);
SELECT id FROM customers WHERE id = 5 AND false;
SELECT id FROM customers WHERE true;
SELECT id FROM customers WHERE NULL;
SELECT id FROM customers WHERE 1 = 0;
SELECT id FROM customers WHERE id = id;
SELECT id FROM customers WHERE id = 5 AND id = 5.0 AND id = '5';
SELECT c.id FROM customers c WHERE c.id = 5;
SELECT c.id FROM customers AS c WHERE C.ID = 5;
SELECT customers.id FROM customers WHERE customers.id = 5;
SELECT main.customers.id FROM main.customers WHERE main.customers.id = 5;
SELECT id AS city, city AS id FROM customers WHERE id = 5;
SELECT name AS id FROM customers WHERE id = 5;
SELECT id FROM (SELECT * FROM customers) WHERE id = 5;
SELECT id FROM (SELECT id + 1 AS id FROM customers) WHERE id = 5;
SELECT x FROM customers AS c(x, y) WHERE x = 5;
SELECT y FROM customers AS c(x, id) WHERE c.x = 5;
SELECT id FROM customers AS c(x, id) WHERE id = 'name 5';
SELECT * FROM products WHERE product = 'bolt';
SELECT * FROM products WHERE product = 'BOLT';
SELECT * FROM products WHERE product = '';
SELECT product FROM products WHERE product = 'żółw';
SELECT product FROM products WHERE product IS NULL;
SELECT product FROM products WHERE product IN ('bolt', 'nut', 'none');
SELECT product FROM products WHERE product LIKE 'b%';
SELECT product FROM products WHERE product ILIKE 'b%';
SELECT product FROM products WHERE product >= 'b' AND product < 'd';
SELECT product FROM products WHERE product BETWEEN 'Bolt' AND 'cog';
SELECT product FROM products WHERE product = 'bolt' COLLATE NOCASE;
SELECT product FROM products WHERE product COLLATE NOCASE = 'BOLT';
SELECT product FROM products WHERE lower(product) = 'bolt';
SELECT product FROM products WHERE product = 5;
SELECT product FROM products WHERE product = $$bolt$$;
SELECT product FROM products WHERE product = e'bo\x6ct';
SELECT product FROM products WHERE product = 'bo' || 'lt';
SELECT product FROM products WHERE product = 'bolt'::VARCHAR;
SELECT * FROM events WHERE day = DATE '2024-01-07';
SELECT * FROM events WHERE day = '2024-01-07';
SELECT * FROM events WHERE day = '2024-1-7';
SELECT * FROM events WHERE day = 'not a day';
SELECT * FROM events WHERE day = TIMESTAMP '2024-01-07 00:00:00';
SELECT * FROM events WHERE day = TIMESTAMP '2024-01-07 00:00:01';
SELECT * FROM events WHERE day < TIMESTAMP '2023-12-21 00:00:01';
SELECT * FROM events WHERE day = '2024-01-07'::DATE;
SELECT * FROM events WHERE day = '2024-01-07'::TIMESTAMP;
SELECT * FROM events WHERE day = CAST('2024-01-07 10:00:00' AS DATE);
SELECT count(*) FROM events WHERE day BETWEEN DATE '2024-01-05' AND DATE '2024-02-01';
SELECT count(*) FROM events WHERE day BETWEEN '2024-01-05' AND '2024-02-01';
SELECT count(*) FROM events WHERE day >= DATE '2024-02-01' AND day < DATE '2024-02-01' + INTERVAL 1 MONTH;
SELECT count(*) FROM events WHERE day > '2024-03-01';
SELECT count(*) FROM events WHERE day IN ('2024-01-07', DATE '2024-01-10', NULL);
SELECT count(*) FROM events WHERE day < 'infinity'::DATE;
SELECT count(*) FROM events WHERE year(day) = 2023;
SELECT count(*) FROM events WHERE date_trunc('month', day) = DATE '2024-01-01';
SELECT count(*) FROM events WHERE day IS NULL;
SELECT * FROM pairs WHERE a = 3 AND b = 'x';
SELECT * FROM pairs WHERE a = 3;
SELECT * FROM pairs WHERE b = 'x';
SELECT * FROM pairs WHERE a = 3 AND b IS NULL;
SELECT * FROM pairs WHERE a IS NULL AND b = 'x';
SELECT * FROM pairs WHERE a IN (3, 4) AND b IN ('x', 'y');
SELECT * FROM pairs WHERE a > 3 AND b = 'x';
SELECT * FROM pairs WHERE a = 3 AND b > 'x';
SELECT * FROM pairs WHERE a BETWEEN 2 AND 3 AND b < 'y';
SELECT * FROM pairs WHERE (a = 3 AND b = 'x') OR (a = 4 AND b = 'y');
SELECT * FROM pairs WHERE (a, b) = (3, 'y');
SELECT * FROM pairs WHERE (a, b) IN (SELECT a, b FROM pairs WHERE v = 7);
SELECT * FROM lonely WHERE k = 7;
SELECT * FROM lonely WHERE k = 8;
SELECT count(*), min(v), sum(k) FROM lonely WHERE k = 8;
SELECT * FROM nothing WHERE k = 1;
SELECT * FROM "Mixed Case" WHERE "Key" = 3;
SELECT * FROM "mixed case" WHERE "KEY" = 3;
SELECT "select" FROM "Mixed Case" WHERE key IN (1, 2);
SELECT m."a.b" FROM "Mixed Case" AS m WHERE m."Key" = 3;
SELECT * FROM main."Mixed Case" WHERE "Mixed Case"."Key" = 3;
SELECT * FROM archive.orders WHERE customer_id = 5;
SELECT orders.amount FROM archive.orders WHERE orders.customer_id = 5;
SELECT archive.orders.amount FROM archive.orders WHERE archive.orders.customer_id = 5;
SELECT a.amount, o.amount FROM archive.orders a JOIN main.orders o ON a.customer_id = o.customer_id WHERE a.customer_id = 5;
SELECT archive.orders.amount, main.orders.amount FROM archive.orders, main.orders WHERE archive.orders.customer_id = 5 AND main.orders.customer_id = 6;
-- parameters: [5]
SELECT name FROM customers WHERE id = ?;
-- parameters: [5]
SELECT name FROM customers WHERE id = $1;
-- parameters: [None]
SELECT name FROM customers WHERE id = ?;
-- parameters: [None]
SELECT name FROM customers WHERE id IS NOT DISTINCT FROM ?;
-- parameters: ['5']
SELECT name FROM customers WHERE id = ?;
-- parameters: [5.5]
SELECT name FROM customers WHERE id = ?;
-- parameters: [5.5]
SELECT count(*) FROM customers WHERE id < ?;
-- parameters: [True]
SELECT name FROM customers WHERE id = ?;
-- parameters: [100000000000000000000]
SELECT name FROM customers WHERE id = ?;
-- parameters: [5, 6]
SELECT name FROM customers WHERE id IN (?, ?);
-- parameters: [5, 8]
SELECT name FROM customers WHERE id BETWEEN $1 AND $2;
-- parameters: [5, 8]
SELECT name FROM customers WHERE id BETWEEN $2 AND $1 OR id = $1;
-- parameters: {'key': 5, 'least': -100}
SELECT name FROM customers WHERE id = $key AND balance > $least;
-- parameters: [5]
SELECT name, $1 FROM customers WHERE id = -$1 OR id = $1;
-- parameters: [7]
SELECT name FROM customers WHERE id = -?;
-- parameters: ['2024-01-07']
SELECT count(*) FROM events WHERE day = ?;
-- parameters: ['2024-01-07']
SELECT count(*) FROM events WHERE day = ?::DATE;
-- parameters: ['bolt']
SELECT * FROM products WHERE product = ?;
-- parameters: [5]
SELECT * FROM products WHERE product = ?;
-- parameters: [5, 3]
SELECT count(*) FROM customers c JOIN orders o ON c.id = o.customer_id WHERE c.id = ? AND o.order_id > ?;
-- parameters: []
SELECT name FROM customers WHERE id = ?;
-- parameters: [5, 6]
SELECT name FROM customers WHERE id = ?;
-- parameters: [[4, 5]]
SELECT id FROM customers WHERE id = ANY(?);
-- parameters: [2]
SELECT id FROM customers ORDER BY id NULLS LAST LIMIT ?;
