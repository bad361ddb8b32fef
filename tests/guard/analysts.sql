-- PostgreSQL queries as analysts and models write them, on the population of analysts_population.sql.
-- Each returns the same rows on PostgreSQL, DuckDB and SQLite. A line of comment names it; an empty line ends it.

-- set operation with ORDER BY and LIMIT
SELECT country FROM singer UNION SELECT location FROM stadium ORDER BY country DESC LIMIT 3;

-- EXCEPT of joins
SELECT stadium_name FROM stadium EXCEPT SELECT s.stadium_name FROM concert c JOIN stadium s ON c.stadium_id = s.stadium_id WHERE c.year = 2014;

-- INTERSECT of two groups
SELECT country FROM singer WHERE birth_year < 1975 INTERSECT SELECT country FROM singer WHERE birth_year > 1971;

-- UNION ALL under an aggregate
SELECT kind, COUNT(*) FROM (SELECT 'singer' AS kind FROM singer UNION ALL SELECT 'stadium' FROM stadium) t GROUP BY kind ORDER BY 2 DESC, 1;

-- bracketed sides, each with a limit
(SELECT name FROM singer ORDER BY birth_year ASC NULLS LAST, name LIMIT 2) UNION ALL (SELECT name FROM singer ORDER BY birth_year DESC NULLS LAST, name LIMIT 1);

-- three set operations of mixed precedence
SELECT singer_id FROM singer EXCEPT SELECT singer_id FROM singer_in_concert UNION SELECT concert_id FROM concert INTERSECT SELECT stadium_id FROM stadium ORDER BY 1;

-- nested aggregate in HAVING
SELECT country, COUNT(*) FROM singer GROUP BY country HAVING COUNT(*) = (SELECT MAX(n) FROM (SELECT COUNT(*) AS n FROM singer GROUP BY country) t);

-- average of counts
SELECT AVG(n), MAX(n), MIN(n) FROM (SELECT concert_id, COUNT(*) AS n FROM singer_in_concert GROUP BY concert_id) x;

-- NOT IN with no NULL
SELECT name FROM singer WHERE singer_id NOT IN (SELECT singer_id FROM singer_in_concert);

-- NOT IN with a NULL
SELECT COUNT(*) FROM stadium WHERE stadium_id NOT IN (SELECT stadium_id FROM concert);

-- EXISTS and NOT EXISTS
SELECT stadium_name FROM stadium s WHERE EXISTS (SELECT 1 FROM concert c WHERE c.stadium_id = s.stadium_id AND c.year = 2014) AND NOT EXISTS (SELECT 1 FROM concert c WHERE c.stadium_id = s.stadium_id AND c.year = 2015);

-- CASE in aggregates
SELECT country, SUM(CASE WHEN is_active THEN 1 ELSE 0 END) AS active, AVG(CASE WHEN rating > 3 THEN rating END), COUNT(CASE WHEN birth_year > 1975 THEN 1 END) * 100.0 / COUNT(*) FROM singer GROUP BY country;

-- FILTER with DISTINCT
SELECT concert_id, COUNT(DISTINCT buyer) FILTER (WHERE quantity > 1), SUM(paid) FILTER (WHERE refunded_on IS NULL) FROM ticket GROUP BY concert_id;

-- CAST of a share
SELECT CAST(SUM(CASE WHEN refunded_on IS NOT NULL THEN 1 ELSE 0 END) AS REAL) * 100 / COUNT(ticket_id) FROM ticket;

-- share with CAST to FLOAT and a filter on text
SELECT CAST(COUNT(CASE WHEN tags LIKE '%vip%' THEN ticket_id ELSE NULL END) AS DOUBLE PRECISION) / COUNT(ticket_id) FROM ticket WHERE bought_at >= '2014-06-01';

-- window frame of rows
SELECT ticket_id, SUM(paid) OVER (ORDER BY ticket_id ROWS BETWEEN 2 PRECEDING AND CURRENT ROW), AVG(quantity) OVER (ORDER BY ticket_id ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING) FROM ticket ORDER BY ticket_id;

-- running total within a partition, with ties
SELECT buyer, bought_at, SUM(paid) OVER (PARTITION BY buyer ORDER BY bought_at) FROM ticket WHERE buyer IS NOT NULL;

-- window frame of groups and of range
SELECT ticket_id, COUNT(*) OVER (ORDER BY quantity GROUPS BETWEEN 1 PRECEDING AND CURRENT ROW), SUM(quantity) OVER (ORDER BY quantity RANGE BETWEEN 1 PRECEDING AND 1 FOLLOWING) FROM ticket WHERE quantity IS NOT NULL;

-- window frame with EXCLUDE
SELECT ticket_id, SUM(quantity) OVER (ORDER BY ticket_id ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING EXCLUDE CURRENT ROW) FROM ticket;

-- named window
SELECT name, RANK() OVER w, DENSE_RANK() OVER w, LAG(name) OVER (w ROWS UNBOUNDED PRECEDING) FROM singer WINDOW w AS (PARTITION BY country ORDER BY rating DESC NULLS LAST, name);

-- ranks with NULL
SELECT name, RANK() OVER (ORDER BY rating DESC), RANK() OVER (ORDER BY rating), PERCENT_RANK() OVER (ORDER BY rating), CUME_DIST() OVER (ORDER BY rating), NTILE(3) OVER (ORDER BY singer_id) FROM singer;

-- FIRST_VALUE, LAST_VALUE and NTH_VALUE
SELECT singer_id, FIRST_VALUE(name) OVER (PARTITION BY country ORDER BY birth_year, singer_id), LAST_VALUE(name) OVER (PARTITION BY country ORDER BY birth_year, singer_id ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING), NTH_VALUE(name, 2) OVER (PARTITION BY country ORDER BY birth_year, singer_id) FROM singer;

-- LAG with an offset and a default
SELECT year, n, n - LAG(n, 1, 0) OVER (ORDER BY year) AS change FROM (SELECT year, COUNT(*) AS n FROM concert GROUP BY year) t ORDER BY year;

-- share of the total by window over aggregate
SELECT country, COUNT(*), ROUND(100.0 * COUNT(*) / SUM(COUNT(*)) OVER (), 2) FROM singer GROUP BY country ORDER BY COUNT(*) DESC, country NULLS LAST;

-- top one a group by ROW_NUMBER
SELECT country, name FROM (SELECT country, name, ROW_NUMBER() OVER (PARTITION BY country ORDER BY net_worth DESC NULLS LAST, singer_id) AS rn FROM singer) t WHERE rn = 1;

-- DISTINCT ON
SELECT DISTINCT ON (country) country, name, rating FROM singer ORDER BY country, rating DESC NULLS LAST, name;

-- DISTINCT ON two keys, one an expression
SELECT DISTINCT ON (LOWER(buyer), concert_id) LOWER(buyer) AS who, concert_id, paid FROM ticket ORDER BY LOWER(buyer), concert_id, paid DESC, ticket_id;

-- text functions
SELECT name, UPPER(name), INITCAP(LOWER(name)), LENGTH(name), CHAR_LENGTH(name), SUBSTRING(name FROM 1 FOR 3), SUBSTR(name, 2), LEFT(name, -2), RIGHT(name, 2), REVERSE(name), LPAD(name, 12, '*'), REPLACE(name, 'i', 'I') FROM singer;

-- INITCAP of stored text
SELECT INITCAP(name), INITCAP(country) FROM singer;

-- INITCAP of words with marks
SELECT INITCAP(title || '-' || COALESCE(theme, 'no_theme 2nd x')) FROM concert;

-- POSITION and STRPOS
SELECT name, POSITION(' ' IN name), STRPOS(name, 'i'), SUBSTRING(name FROM POSITION(' ' IN name) + 1), SPLIT_PART(name, ' ', 1), SPLIT_PART(name, ' ', -1) FROM singer;

-- SUBSTRING by pattern
SELECT code, SUBSTRING(code FROM '[0-9]+'), SUBSTRING(code FROM '^([A-Z])-'), SUBSTRING(code, '[a-z]+$') FROM ticket;

-- REGEXP_REPLACE with groups and flags
SELECT code, REGEXP_REPLACE(code, '([A-Z])-([0-9]+)', '\2\1'), REGEXP_REPLACE(code, '[^0-9]', '', 'g'), REGEXP_REPLACE(LOWER(name), '(^|\s)(\w)', '\1<\2>', 'gi') FROM ticket JOIN singer ON singer_id = ticket_id;

-- REGEXP_MATCH of one group by subscript
SELECT code, (REGEXP_MATCH(code, '^([A-Z])-([0-9]+)'))[2] FROM ticket;

-- TRIM in all forms
SELECT TRIM(BOTH 'A' FROM code), LTRIM(code, 'A-'), RTRIM(code, 'xyz'), BTRIM(code, 'Ax'), TRIM(LEADING '0' FROM '0012'), TRIM(TRAILING FROM name || '  ') FROM ticket JOIN singer ON singer_id = ticket_id;

-- CONCAT and pipes with NULL
SELECT CONCAT(name, ' (', country, ')'), name || ' ' || birth_year, CONCAT_WS(', ', name, country, birth_year::text) FROM singer;

-- numbers in text
SELECT 'No ' || singer_id || ': ' || rating || ', ' || net_worth, rating::text, net_worth::text, (rating * 2)::text, is_active::text FROM singer;

-- FORMAT with placeholders
SELECT FORMAT('%s from %s', name, country) FROM singer;

-- casts of text to numbers
SELECT CAST(SUBSTRING(opened FROM 1 FOR 4) AS INTEGER) AS y, 2020 - SUBSTR(opened, 1, 4)::int, CAST(SPLIT_PART(opened, '-', 2) AS NUMERIC) FROM stadium WHERE opened IS NOT NULL;

-- casts of numbers
SELECT CAST(rating AS INTEGER), rating::int, net_worth::int, (net_worth / 3)::numeric(10, 1), CAST(quantity AS TEXT) FROM singer JOIN ticket ON ticket_id = singer_id;

-- text dates compared and cut
SELECT title, held_on FROM concert WHERE held_on >= '2014-12-01' AND held_on < '2015-04-01' AND SUBSTRING(held_on, 1, 4) = '2015';

-- text dates cast
SELECT title, EXTRACT(YEAR FROM held_on::date), TO_CHAR(held_on::date, 'Month'), held_on::date + 30, DATE_PART('dow', CAST(held_on AS DATE)) FROM concert;

-- difference of text dates
SELECT title, held_on::date - DATE '2014-01-01', CURRENT_DATE - held_on::date FROM concert;

-- TO_DATE of a template
SELECT TO_DATE(held_on, 'YYYY-MM-DD') + INTERVAL '1 month' FROM concert;

-- year as integer made to a date
SELECT year, MAKE_DATE(year, 1, 1), MAKE_DATE(year, 12, 31) - MAKE_DATE(year, 1, 1) + 1 AS days FROM concert;

-- ages in years
SELECT name, DATE_PART('year', AGE(CURRENT_DATE, born_on)), EXTRACT(YEAR FROM AGE(born_on)), EXTRACT(YEAR FROM CURRENT_DATE) - birth_year FROM singer;

-- AGE between timestamps as interval
SELECT AGE(c.starts_at, t.bought_at) FROM ticket t JOIN concert c USING (concert_id);

-- EXTRACT EPOCH of differences
SELECT t.ticket_id, EXTRACT(EPOCH FROM (c.starts_at - t.bought_at)) / 86400, ROUND((EXTRACT(EPOCH FROM c.starts_at - t.bought_at) / 3600)::numeric, 2) FROM ticket t JOIN concert c ON c.concert_id = t.concert_id;

-- average of intervals
SELECT c.year, AVG(c.starts_at - t.bought_at), MAX(c.starts_at - t.bought_at) FROM ticket t JOIN concert c ON c.concert_id = t.concert_id GROUP BY c.year;

-- INTERVAL multiplied
SELECT ticket_id, bought_at + quantity * INTERVAL '1 day', bought_at + INTERVAL '1 hour' * quantity, refunded_on - 2 * INTERVAL '1 week' FROM ticket;

-- INTERVAL by text concatenation
SELECT ticket_id, bought_at + (quantity || ' days')::interval FROM ticket;

-- MAKE_INTERVAL
SELECT ticket_id, bought_at + MAKE_INTERVAL(days => quantity) FROM ticket;

-- DATE_TRUNC groups
SELECT DATE_TRUNC('month', bought_at) AS m, COUNT(*), SUM(paid) FROM ticket GROUP BY 1 ORDER BY m NULLS FIRST;

-- ROUND of numeric casts
SELECT ROUND(rating::numeric, 1), ROUND(AVG(rating) OVER ()::numeric, 2), ROUND(net_worth / 7, 3), ROUND(net_worth), ROUND(rating), CEIL(rating), FLOOR(-rating), TRUNC(net_worth / 3, 2) FROM singer;

-- GREATEST, LEAST, COALESCE and NULLIF
SELECT GREATEST(quantity, 2), LEAST(paid, 50), GREATEST(quantity, NULL), COALESCE(buyer, 'nobody'), NULLIF(quantity, 0), COALESCE(NULLIF(tags, ''), code, 'none'), paid / NULLIF(quantity, 0) FROM ticket;

-- BETWEEN SYMMETRIC
SELECT name FROM singer WHERE birth_year BETWEEN SYMMETRIC 1980 AND 1970;

-- IS DISTINCT FROM
SELECT name FROM singer WHERE country IS DISTINCT FROM 'France' AND is_active IS NOT TRUE;

-- IS NOT DISTINCT FROM in a join
SELECT a.name, b.name FROM singer a JOIN singer b ON a.country IS NOT DISTINCT FROM b.country AND a.singer_id < b.singer_id;

-- IS UNKNOWN, IS FALSE
SELECT name, is_active IS TRUE, is_active IS FALSE, is_active IS UNKNOWN, NOT is_active, (rating > 3) IS NOT TRUE FROM singer;

-- ILIKE, SIMILAR TO and ~*
SELECT title FROM concert WHERE title ILIKE 'WEEK%' OR theme SIMILAR TO '%(Love|Awake)' OR theme ~* '^free';

-- NOT ILIKE and wild cards as text
SELECT title FROM concert WHERE theme LIKE '%\_%' OR theme LIKE '%!%%' ESCAPE '!' OR theme NOT ILIKE '%e%';

-- LIKE with a pattern from a column
SELECT t.buyer, s.name FROM ticket t JOIN singer s ON s.name ILIKE '%' || LEFT(t.buyer, 2) || '%';

-- VALUES list in FROM
SELECT v.label, COUNT(t.ticket_id) FROM (VALUES (1, 'few'), (5, 'many')) AS v(q, label) LEFT JOIN ticket t ON t.quantity >= v.q GROUP BY v.label;

-- VALUES in a CTE
WITH bands(low, high, label) AS (VALUES (0, 3, 'poor'), (3, 6, 'good')) SELECT b.label, COUNT(s.singer_id) FROM bands b LEFT JOIN singer s ON s.rating >= b.low AND s.rating < b.high GROUP BY b.label;

-- VALUES in a CTE without names
WITH v AS (VALUES (1, 'a'), (2, 'b')) SELECT column1, column2 FROM v ORDER BY column1;

-- ORDER BY with NULLS LAST
SELECT name, rating FROM singer ORDER BY rating DESC NULLS LAST, name ASC LIMIT 4;

-- ORDER BY an expression and FETCH FIRST
SELECT name FROM singer ORDER BY LENGTH(name) DESC, name FETCH FIRST 2 ROWS ONLY;

-- FETCH FIRST WITH TIES
SELECT name, rating FROM singer ORDER BY rating DESC NULLS LAST FETCH FIRST 1 ROW WITH TIES;

-- LIMIT and OFFSET
SELECT name FROM singer ORDER BY birth_year DESC NULLS LAST, name LIMIT 2 OFFSET 1;

-- rows compared with IN
SELECT name FROM singer WHERE (country, birth_year) IN (SELECT country, MIN(birth_year) FROM singer GROUP BY country);

-- rows compared with a list and with NOT IN
SELECT ticket_id FROM ticket WHERE (concert_id, buyer) IN ((1, 'bob'), (2, 'carol')) OR (concert_id, quantity) NOT IN (SELECT concert_id, quantity FROM ticket WHERE quantity < 3 AND concert_id IS NOT NULL);

-- rows compared by order
SELECT ticket_id FROM ticket WHERE (concert_id, quantity) > (2, 2);

-- rows compared for equality with a query
SELECT name FROM singer WHERE (country, birth_year) = (SELECT country, birth_year FROM singer WHERE singer_id = 2);

-- ALL and ANY of a query
SELECT name FROM singer WHERE birth_year >= ALL (SELECT birth_year FROM singer WHERE birth_year IS NOT NULL);

-- ALL with NULL, ANY with NULL, and of none
SELECT name, rating > ALL (SELECT rating FROM singer), rating > ANY (SELECT rating FROM singer), rating > ALL (SELECT rating FROM singer WHERE FALSE), rating <> ALL (SELECT rating FROM singer WHERE singer_id < 3), rating = ANY (SELECT rating FROM singer WHERE singer_id > 3), rating < SOME (SELECT net_worth FROM singer) FROM singer;

-- correlated ALL
SELECT name FROM singer s WHERE rating >= ALL (SELECT x.rating FROM singer x WHERE x.country = s.country AND x.rating IS NOT NULL);

-- ANY of a written array
SELECT name FROM singer WHERE country = ANY (ARRAY['France', 'Netherlands']) AND birth_year <> ALL (ARRAY[1989, 1995]);

-- scalar subquery and correlated count
SELECT s.stadium_name, (SELECT COUNT(*) FROM concert c WHERE c.stadium_id = s.stadium_id) AS n, (SELECT MAX(price) FROM concert c WHERE c.stadium_id = s.stadium_id) FROM stadium s ORDER BY n DESC, s.stadium_name;

-- GENERATE_SERIES of numbers with a left join
SELECT y, COUNT(c.concert_id) FROM GENERATE_SERIES(2013, 2017) AS y LEFT JOIN concert c ON c.year = y GROUP BY y ORDER BY y;

-- GENERATE_SERIES between extremes
SELECT g.y FROM GENERATE_SERIES((SELECT MIN(year) FROM concert), (SELECT MAX(year) FROM concert)) AS g(y) WHERE g.y NOT IN (SELECT year FROM concert WHERE year <> 2015);

-- GENERATE_SERIES of months
SELECT d::date, COUNT(t.ticket_id) FROM GENERATE_SERIES('2014-01-01'::timestamp, '2014-12-01', '3 months') AS d LEFT JOIN ticket t ON t.bought_at >= d AND t.bought_at < d + INTERVAL '3 months' GROUP BY d ORDER BY d;

-- GENERATE_SERIES in SELECT
SELECT GENERATE_SERIES(1, 3) AS n;

-- GENERATE_SERIES by the row
SELECT t.ticket_id, n FROM ticket t CROSS JOIN LATERAL GENERATE_SERIES(1, t.quantity) AS n WHERE t.ticket_id < 5;

-- LATERAL of one row
SELECT s.stadium_name, last.title FROM stadium s LEFT JOIN LATERAL (SELECT c.title FROM concert c WHERE c.stadium_id = s.stadium_id ORDER BY c.held_on DESC NULLS LAST, c.concert_id LIMIT 1) last ON TRUE;

-- LATERAL of an aggregate
SELECT s.name, x.n, x.total FROM singer s, LATERAL (SELECT COUNT(*) AS n, SUM(fee) AS total FROM singer_in_concert sc WHERE sc.singer_id = s.singer_id) x WHERE x.n > 0;

-- ROLLUP
SELECT country, is_active, COUNT(*) FROM singer GROUP BY ROLLUP (country, is_active);

-- ROLLUP with GROUPING and a label
SELECT CASE WHEN GROUPING(country) = 1 THEN 'all' ELSE country END AS c, COUNT(*), AVG(rating) FROM singer GROUP BY ROLLUP (country) ORDER BY GROUPING(country), c;

-- CUBE
SELECT c.year, s.stadium_name, SUM(c.price) FROM concert c JOIN stadium s USING (stadium_id) GROUP BY CUBE (c.year, s.stadium_name);

-- GROUPING SETS
SELECT buyer, concert_id, SUM(quantity) FROM ticket GROUP BY GROUPING SETS ((buyer), (concert_id), ());

-- percentiles
SELECT country, PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY rating), PERCENTILE_DISC(0.5) WITHIN GROUP (ORDER BY birth_year DESC), MODE() WITHIN GROUP (ORDER BY rating) FROM singer GROUP BY country;

-- several percentiles at once
SELECT PERCENTILE_CONT(ARRAY[0.25, 0.5, 0.75]) WITHIN GROUP (ORDER BY paid) FROM ticket;

-- subscript of several percentiles
SELECT (PERCENTILE_CONT(ARRAY[0.25, 0.75]) WITHIN GROUP (ORDER BY paid))[2] - (PERCENTILE_CONT(ARRAY[0.25, 0.75]) WITHIN GROUP (ORDER BY paid))[1] FROM ticket;

-- ARRAY_AGG with an order
SELECT country, ARRAY_AGG(name ORDER BY name) FROM singer GROUP BY country;

-- ARRAY_AGG DISTINCT and its size
SELECT concert_id, ARRAY_AGG(DISTINCT quantity ORDER BY quantity DESC), CARDINALITY(ARRAY_AGG(buyer)), ARRAY_LENGTH(ARRAY_AGG(buyer), 1) FROM ticket GROUP BY concert_id;

-- first of ARRAY_AGG
SELECT country, (ARRAY_AGG(name ORDER BY rating DESC NULLS LAST, singer_id))[1] FROM singer GROUP BY country;

-- STRING_AGG in several forms
SELECT concert_id, STRING_AGG(buyer, ', ' ORDER BY ticket_id), STRING_AGG(DISTINCT LOWER(buyer), '; '), STRING_AGG(quantity::text, '+' ORDER BY quantity DESC NULLS LAST, ticket_id) FROM ticket GROUP BY concert_id;

-- UNNEST of a written array
SELECT UNNEST(ARRAY['a', 'b', 'c']) AS letter;

-- UNNEST of a written array beside a column
SELECT singer_id, UNNEST(ARRAY[1, 2]) FROM singer WHERE singer_id < 3;

-- UNNEST of split text in FROM
SELECT tag, COUNT(*) FROM ticket, UNNEST(STRING_TO_ARRAY(tags, ',')) AS tag GROUP BY tag ORDER BY 2 DESC, 1;

-- UNNEST of split text in SELECT
SELECT ticket_id, UNNEST(STRING_TO_ARRAY(tags, ',')) FROM ticket;

-- MD5
SELECT MD5(name) FROM singer;

-- BOOL_AND and BOOL_OR
SELECT country, BOOL_AND(is_active), BOOL_OR(is_active), EVERY(rating > 1) FROM singer GROUP BY country;

-- statistics
SELECT STDDEV(paid), VARIANCE(paid), STDDEV_POP(quantity), CORR(paid, quantity), REGR_SLOPE(paid, quantity) FROM ticket;

-- running deviation
SELECT ticket_id, STDDEV(paid) OVER (ORDER BY ticket_id), VAR_POP(paid) OVER (PARTITION BY concert_id ORDER BY ticket_id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM ticket;

-- division and remainder
SELECT score, score / 3, score % 3, MOD(score, 3), -score / 3, score / 3.0, birth_year / 100 FROM ticket JOIN singer ON singer_id = ticket_id;

-- POWER, SQRT and logarithms
SELECT POWER(quantity, 2), SQRT(paid), LN(paid + 1), LOG(paid + 1), LOG(2, quantity + 1), EXP(0), ABS(score), SIGN(score), quantity ^ 2 FROM ticket;

-- a recursive count
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT i, i * i FROM n;

-- CTEs that build on each other
WITH per AS (SELECT concert_id, SUM(paid) AS total FROM ticket GROUP BY concert_id), best AS (SELECT MAX(total) AS m FROM per) SELECT p.concert_id, p.total FROM per p CROSS JOIN best b WHERE p.total = b.m;

-- self join of neighbours
SELECT a.name, b.name FROM singer a, singer b WHERE a.birth_year = b.birth_year AND a.singer_id < b.singer_id;

-- FULL JOIN
SELECT c.title, s.stadium_name FROM concert c FULL OUTER JOIN stadium s ON s.stadium_id = c.stadium_id;

-- NATURAL JOIN and USING
SELECT title, name FROM concert NATURAL JOIN singer_in_concert JOIN singer USING (singer_id) ORDER BY title, name LIMIT 5;

-- GROUP BY an alias with HAVING on an aggregate
SELECT SUBSTRING(code, 1, 1) AS letter, COUNT(*) FROM ticket WHERE code <> '' GROUP BY letter HAVING COUNT(*) > 1 ORDER BY letter;

-- COUNT DISTINCT of rows
SELECT COUNT(DISTINCT (concert_id, buyer)), COUNT(DISTINCT buyer) FROM ticket;

-- a boolean output and comparison with text
SELECT name, birth_year > 1975 AS young, is_active = 'true', country = 'France' OR rating > 4 FROM singer;

-- a quoted number beside an integer
SELECT name FROM singer WHERE birth_year = '1972' OR birth_year IN ('1952', '1995');

-- IN with NULL inside
SELECT name, country IN ('France', NULL), country NOT IN ('France') FROM singer;

-- text in order, capitals
SELECT DISTINCT buyer FROM ticket ORDER BY buyer;

-- MIN and MAX of text, dates and booleans
SELECT MIN(name), MAX(country), MIN(born_on), MAX(bought_at) FROM singer LEFT JOIN ticket ON ticket_id = singer_id;

-- dates from timestamps
SELECT bought_at::date, CAST(bought_at AS TIME), EXTRACT(HOUR FROM bought_at), DATE(bought_at) FROM ticket;

-- AT TIME ZONE and NOW
SELECT COUNT(*) FROM ticket WHERE bought_at < NOW() - INTERVAL '1 year';

-- OVERLAPS
SELECT title FROM concert WHERE (starts_at, INTERVAL '2 days') OVERLAPS (TIMESTAMP '2015-01-30 00:00:00', TIMESTAMP '2015-02-02 00:00:00');

-- EXCEPT ALL and INTERSECT ALL
SELECT concert_id FROM ticket EXCEPT ALL SELECT concert_id FROM concert;

-- TRANSLATE, ASCII and CHR
SELECT TRANSLATE(code, '-0', '_'), ASCII(code), CHR(65 + quantity), OVERLAY(code PLACING '##' FROM 2 FOR 3) FROM ticket;

-- ROUND half cases
SELECT ROUND(0.5), ROUND(1.5), ROUND(2.5::float8), ROUND(-2.5), ROUND(price / 2, 1), ROUND((price / 2)::numeric, 2) FROM concert;

-- WIDTH_BUCKET and histogram
SELECT WIDTH_BUCKET(paid, 0, 100, 4) AS bucket, COUNT(*) FROM ticket GROUP BY bucket ORDER BY bucket;

-- INTERVAL comparisons
SELECT ticket_id FROM ticket t JOIN concert c USING (concert_id) WHERE c.starts_at - t.bought_at > INTERVAL '30 days';

-- last day of month
SELECT held_on, (DATE_TRUNC('month', held_on::date) + INTERVAL '1 month - 1 day')::date FROM concert;

-- week numbers and ISO
SELECT EXTRACT(WEEK FROM held_on::date), EXTRACT(ISODOW FROM held_on::date), EXTRACT(QUARTER FROM starts_at), TO_CHAR(starts_at, 'IYYY-IW') FROM concert;

-- average of intervals again
SELECT c.year, AVG(c.starts_at - t.bought_at), MAX(c.starts_at - t.bought_at) FROM ticket t JOIN concert c ON c.concert_id = t.concert_id GROUP BY c.year;

-- TO_CHAR of timestamps
SELECT TO_CHAR(bought_at, 'YYYY-MM-DD HH24:MI:SS'), TO_CHAR(bought_at, 'HH12:MI AM'), TO_CHAR(bought_at, 'FMDD Mon YYYY'), TO_CHAR(bought_at, 'Q'), TO_CHAR(bought_at, 'Dy, DD.MM.YY') FROM ticket;

-- TO_CHAR zeros
SELECT TO_CHAR(birth_year, '0000') FROM singer;

-- lower of accents
SELECT LOWER(name), UPPER(name) FROM singer WHERE LOWER(name) = 'émile zola' OR UPPER(name) LIKE 'É%';

-- rows compared with NULL, equal
SELECT t.ticket_id, (concert_id, quantity) = (3, 2), (concert_id, quantity) <> (3, 2), (quantity, concert_id) < (5, 5), (concert_id, quantity) <= (3, 2) FROM ticket t;

-- rows in a list with NULL
SELECT ticket_id, (concert_id, quantity) IN ((3, 2), (5, 1)), (concert_id, quantity) NOT IN ((3, 2), (5, 1)) FROM ticket;

-- rows in a query with NULL
SELECT ticket_id, (concert_id, quantity) IN (SELECT concert_id, quantity FROM ticket WHERE ticket_id > 5), (concert_id, quantity) NOT IN (SELECT concert_id, quantity FROM ticket WHERE ticket_id > 5) FROM ticket;

-- IN a query with NULL
SELECT singer_id, birth_year IN (SELECT birth_year FROM singer WHERE singer_id > 4), rating NOT IN (SELECT rating FROM singer WHERE singer_id IN (1, 4)) FROM singer;

-- OVERLAPS of dates
SELECT title FROM concert WHERE (starts_at, starts_at + INTERVAL '2 days') OVERLAPS (TIMESTAMP '2015-01-30 00:00:00', TIMESTAMP '2015-02-02 00:00:00');

-- DATE of a timestamp
SELECT DATE(bought_at), COUNT(*) FROM ticket GROUP BY DATE(bought_at) ORDER BY 1;

-- DATE of text
SELECT DATE(held_on) FROM concert WHERE DATE(held_on) > DATE('2014-12-01');

-- time of day
SELECT bought_at::time, CAST(bought_at AS TIME) > '10:00' FROM ticket;

-- OVERLAY
SELECT OVERLAY(code PLACING '##' FROM 2 FOR 3), OVERLAY(code PLACING '##' FROM 2) FROM ticket;

-- chr
SELECT TRANSLATE(code, '-0', '_'), ASCII(code), CHR(65 + quantity) FROM ticket;

-- split text
SELECT CARDINALITY(STRING_TO_ARRAY(tags, ',')), ARRAY_LENGTH(STRING_TO_ARRAY(tags, ','), 1), (STRING_TO_ARRAY(tags, ','))[1] FROM ticket;

-- member of split text
SELECT ticket_id FROM ticket WHERE 'vip' = ANY (STRING_TO_ARRAY(tags, ','));

-- counting characters
SELECT LENGTH(tags) - LENGTH(REPLACE(tags, ',', '')) + 1 FROM ticket;

-- IIF by boolean cast
SELECT SUM(is_active::int), AVG((rating > 3)::int), SUM((country = 'France')::int) FROM singer;

-- boolean cast in a sum of case
SELECT country, SUM(CAST(birth_year > 1975 AS INTEGER)) FROM singer GROUP BY country;

-- COUNT of a condition or NULL
SELECT COUNT(rating > 3 OR NULL), COUNT(NULLIF(country, 'France')) FROM singer;

-- aggregates over nothing
SELECT SUM(paid), COUNT(*), MAX(paid), STRING_AGG(buyer, ','), ARRAY_AGG(buyer), BOOL_OR(quantity > 1) FROM ticket WHERE ticket_id > 99;

-- sum of numeric and of text numbers
SELECT SUM(net_worth), AVG(net_worth), SUM(CAST(SPLIT_PART(code, '-', 2) AS INTEGER)) FROM singer JOIN ticket ON ticket_id = singer_id WHERE code LIKE '_-%';

-- big integers
SELECT SUM(score), SUM(score) * 1000000, AVG(score), score * 2 FROM ticket GROUP BY score;

-- negative modulo and integer powers
SELECT score % 3, -7 % 3, -7 / 2, 7 / -2, ABS(-7) / 2, (score * 1.0 / 3)::numeric(14, 2) FROM ticket;

-- percent with integer division trap
SELECT year, COUNT(*) / (SELECT COUNT(*) FROM concert), COUNT(*) * 100 / (SELECT COUNT(*) FROM concert), ROUND(COUNT(*) * 100.0 / (SELECT COUNT(*) FROM concert), 1) FROM concert GROUP BY year;

-- ROUND of an average and its text
SELECT ROUND(AVG(price), 2), ROUND(AVG(price), 2)::text, ROUND(AVG(price), 2) || ' EUR' FROM concert WHERE year < 2016;

-- average text of integers
SELECT AVG(quantity)::numeric(10,3)::text, (SUM(paid) / 3)::text FROM ticket;

-- year and month text
SELECT EXTRACT(YEAR FROM bought_at) || '-' || LPAD(EXTRACT(MONTH FROM bought_at)::text, 2, '0') AS ym, COUNT(*) FROM ticket GROUP BY ym;

-- CONCAT of dates and numbers
SELECT CONCAT(name, ' born ', born_on, ' worth ', net_worth), CONCAT(rating, '/', 5), CONCAT(is_active) FROM singer;

-- CASE of mixed numbers
SELECT CASE WHEN rating > 4 THEN 1 WHEN rating > 3 THEN 0.5 ELSE 0 END, CASE country WHEN 'France' THEN 'F' WHEN NULL THEN 'N' ELSE 'O' END FROM singer;

-- UNION of integer and numeric
SELECT birth_year FROM singer UNION SELECT rating FROM singer ORDER BY 1;

-- UNION of dates and timestamps
SELECT born_on FROM singer UNION SELECT bought_at FROM ticket ORDER BY 1;

-- UNION of a boolean and ORDER BY expression outside
SELECT * FROM (SELECT name AS n, rating AS r FROM singer UNION ALL SELECT title, price FROM concert) u ORDER BY r DESC NULLS LAST, LENGTH(n), n;

-- intersect of NULL
SELECT country FROM singer INTERSECT SELECT location FROM stadium UNION SELECT buyer FROM ticket EXCEPT SELECT 'bob';

-- ORDER BY a boolean, CASE and NULLS FIRST
SELECT name FROM singer ORDER BY is_active NULLS FIRST, CASE WHEN country = 'France' THEN 0 ELSE 1 END, name;

-- ORDER BY text with mixed cases and marks
SELECT buyer, code FROM ticket ORDER BY code DESC NULLS LAST, buyer;

-- ORDER BY of stored names
SELECT name FROM singer ORDER BY name;

-- DISTINCT with ORDER BY an expression
SELECT DISTINCT country, LENGTH(country) FROM singer ORDER BY LENGTH(country) DESC NULLS LAST, country;

-- MAX of a group and its row
SELECT s.name, s.country, s.rating FROM singer s JOIN (SELECT country, MAX(rating) AS m FROM singer GROUP BY country) t ON s.country = t.country AND s.rating = t.m;

-- LIMIT in a subquery
SELECT AVG(rating) FROM (SELECT rating FROM singer WHERE rating IS NOT NULL ORDER BY rating DESC LIMIT 3) t;

-- HAVING without GROUP BY
SELECT COUNT(*) FROM singer HAVING COUNT(*) > 3;

-- count over joined groups with zero
SELECT s.stadium_name, COUNT(c.concert_id), COALESCE(SUM(c.price), 0), MIN(c.held_on) FROM stadium s LEFT JOIN concert c ON c.stadium_id = s.stadium_id AND c.year = 2014 GROUP BY s.stadium_id, s.stadium_name ORDER BY 2 DESC, 1;

-- date arithmetic of columns
SELECT closed - opened::date, closed + 1, opened::date + INTERVAL '100 years', (closed - INTERVAL '1 month')::date FROM stadium;

-- EXTRACT of ages
SELECT name, EXTRACT(YEAR FROM AGE(DATE '2014-02-28', born_on)), AGE(DATE '2014-02-28', born_on) FROM singer;

-- months between
SELECT (EXTRACT(YEAR FROM refunded_on) - EXTRACT(YEAR FROM bought_at)) * 12 + EXTRACT(MONTH FROM refunded_on) - EXTRACT(MONTH FROM bought_at), refunded_on - bought_at::date, refunded_on - bought_at FROM ticket;

-- interval seconds as numbers
SELECT EXTRACT(EPOCH FROM (refunded_on - bought_at)) / 3600, EXTRACT(DAY FROM refunded_on - bought_at), DATE_PART('hour', bought_at), DATE_PART('minute', bought_at) FROM ticket;

-- BETWEEN of timestamps and dates
SELECT ticket_id FROM ticket WHERE bought_at BETWEEN '2014-01-01' AND '2015-01-15' AND bought_at::date <> '2014-11-01';

-- text BETWEEN
SELECT name FROM singer WHERE name BETWEEN 'J' AND 'T';

-- comparing a timestamp with a date column
SELECT ticket_id FROM ticket WHERE refunded_on > bought_at AND refunded_on < bought_at + INTERVAL '15 days';

-- year = text
SELECT title FROM concert WHERE SUBSTR(held_on, 1, 4) = year::text AND LEFT(held_on, 4)::int = year AND held_on LIKE year || '-%';

-- EXTRACT compared with an integer column
SELECT title FROM concert WHERE EXTRACT(YEAR FROM CAST(held_on AS DATE)) = year AND EXTRACT(MONTH FROM starts_at) IN (1, 2);

-- STRFTIME-like TO_CHAR on text
SELECT TO_CHAR(held_on::date, 'YYYY'), COUNT(*) FROM concert GROUP BY TO_CHAR(held_on::date, 'YYYY') HAVING COUNT(*) > 1;

-- GROUP BY text month of a text date
SELECT SUBSTRING(held_on FROM 6 FOR 2) AS m, COUNT(*) FROM concert WHERE held_on IS NOT NULL GROUP BY 1 ORDER BY 1;

-- generated days with gaps
SELECT d::date FROM GENERATE_SERIES(DATE '2014-01-18', DATE '2014-01-22', INTERVAL '1 day') d WHERE NOT EXISTS (SELECT 1 FROM ticket t WHERE t.refunded_on = d::date);

-- generated down
SELECT n FROM GENERATE_SERIES(5, 1, -2) n;

-- a join ON a range of a series
SELECT b.low, COUNT(s.singer_id) FROM GENERATE_SERIES(0, 4) AS b(low) LEFT JOIN singer s ON s.rating >= b.low AND s.rating < b.low + 1 GROUP BY b.low ORDER BY b.low;

-- moving average in a partition, descending
SELECT concert_id, ticket_id, ROUND(AVG(paid) OVER (PARTITION BY concert_id ORDER BY ticket_id DESC ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)::numeric, 2) FROM ticket;

-- gaps between rows
SELECT ticket_id, bought_at - LAG(bought_at) OVER (ORDER BY bought_at, ticket_id), LEAD(bought_at) OVER (PARTITION BY buyer ORDER BY bought_at, ticket_id) FROM ticket WHERE bought_at IS NOT NULL;

-- window with FILTER
SELECT ticket_id, COUNT(*) FILTER (WHERE quantity > 1) OVER (ORDER BY ticket_id) FROM ticket;

-- COUNT DISTINCT by dense rank
SELECT ticket_id, MAX(r) OVER () FROM (SELECT ticket_id, DENSE_RANK() OVER (ORDER BY buyer) AS r FROM ticket WHERE buyer IS NOT NULL) t;

-- LAST_VALUE with the default frame
SELECT singer_id, LAST_VALUE(name) OVER (ORDER BY rating) , FIRST_VALUE(rating) OVER (ORDER BY rating DESC) FROM singer WHERE rating IS NOT NULL AND singer_id NOT IN (1, 2);

-- percent of a group with NULLIF
SELECT c.year, ROUND(100.0 * SUM(t.paid) FILTER (WHERE t.refunded_on IS NOT NULL)::numeric / NULLIF(SUM(t.paid)::numeric, 0), 1) FROM concert c LEFT JOIN ticket t USING (concert_id) GROUP BY c.year ORDER BY c.year;

-- numeric to text of sums
SELECT SUM(price)::text, MAX(price)::text, (price * 2)::text, (price + 1) || '' FROM concert GROUP BY price;

-- floats to text
SELECT paid::text, paid || '', (paid / 3)::text, ROUND(paid)::text, ROUND(paid::numeric, 1)::text FROM ticket;

-- TRIM_SCALE, CEIL text
SELECT CEIL(price)::text, FLOOR(paid)::text, TRUNC(price)::text, ABS(price)::text FROM concert JOIN ticket ON ticket_id = concert.concert_id;

-- cast of text floats
SELECT '3.70'::numeric, '3.70'::numeric::text, CAST('12' AS INTEGER) + 1, '1e3'::float, CAST(' 7 ' AS INTEGER) FROM singer LIMIT 1;

-- SIMILAR TO with alternation and NOT
SELECT code FROM ticket WHERE code SIMILAR TO '[A-C]-[0-9]{1,3}%' AND code NOT SIMILAR TO '%(x|y)';

-- regular expressions of words
SELECT name FROM singer WHERE name ~ '\mB' OR name ~ '\yWhite\y' OR name !~* '[aeiou]{1}.*i';

-- regexp count and like
SELECT REGEXP_COUNT(name, '[aeiou]'), REGEXP_LIKE(name, '^J'), REGEXP_SUBSTR(code, '[0-9]+') FROM singer JOIN ticket ON ticket_id = singer_id;

-- LIKE on a number cast
SELECT singer_id FROM singer WHERE birth_year::text LIKE '19_2' AND CAST(net_worth AS TEXT) LIKE '%.50';

-- recursive dates
WITH RECURSIVE d(day) AS (SELECT DATE '2014-01-30' UNION ALL SELECT (day + INTERVAL '1 day')::date FROM d WHERE day < DATE '2014-02-02') SELECT day, COUNT(t.ticket_id) FROM d LEFT JOIN ticket t ON t.bought_at::date = day GROUP BY day;

-- recursive chain
WITH RECURSIVE chain AS (SELECT singer_id, name, 1 AS depth FROM singer WHERE singer_id = 1 UNION SELECT s.singer_id, s.name, c.depth + 1 FROM singer s JOIN chain c ON s.singer_id = c.singer_id + 1 WHERE c.depth < 4) SELECT name, depth FROM chain ORDER BY depth;

-- pairs that never met
SELECT a.name, b.name FROM singer a CROSS JOIN singer b WHERE a.singer_id < b.singer_id AND NOT EXISTS (SELECT 1 FROM singer_in_concert x JOIN singer_in_concert y ON x.concert_id = y.concert_id WHERE x.singer_id = a.singer_id AND y.singer_id = b.singer_id) ORDER BY 1, 2 LIMIT 6;

-- relational division
SELECT s.name FROM singer s WHERE NOT EXISTS (SELECT c.concert_id FROM concert c WHERE c.year = 2016 AND NOT EXISTS (SELECT 1 FROM singer_in_concert x WHERE x.concert_id = c.concert_id AND x.singer_id = s.singer_id));

-- ties of the top by ALL over groups
SELECT country FROM singer WHERE country IS NOT NULL GROUP BY country HAVING COUNT(*) >= ALL (SELECT COUNT(*) FROM singer WHERE country IS NOT NULL GROUP BY country);

-- GREATEST of dates and text
SELECT GREATEST(bought_at, refunded_on), LEAST(buyer, 'c'), GREATEST(quantity, paid), GREATEST(score, 1.5) FROM ticket;

-- nothing but constants
SELECT 1 + 1, 'a' || 'b', 7 / 2, 7.0 / 2, 2 ^ 3, NOT TRUE, NULL, 5 % 3, 1::boolean, 'x' LIKE 'X', DATE '2014-02-28' + 1;

-- JSON-like text by concatenation
SELECT '{"n": "' || name || '", "y": ' || COALESCE(birth_year::text, 'null') || '}' FROM singer;

-- hour buckets by EXTRACT and FLOOR
SELECT FLOOR(EXTRACT(HOUR FROM bought_at) / 6) AS q, COUNT(*) FROM ticket GROUP BY q ORDER BY q;

-- decade by integer division
SELECT birth_year / 10 * 10 AS decade, COUNT(*) FROM singer GROUP BY decade ORDER BY decade;

-- decade by FLOOR and text
SELECT FLOOR(birth_year / 10) * 10 || 's' AS decade, COUNT(*) FROM singer GROUP BY 1 ORDER BY 1;

-- median by window
SELECT AVG(paid) FROM (SELECT paid, ROW_NUMBER() OVER (ORDER BY paid) AS r, COUNT(*) OVER () AS n FROM ticket) t WHERE r IN ((n + 1) / 2, (n + 2) / 2);

-- cumulative share
SELECT name, SUM(net_worth) OVER (ORDER BY net_worth DESC NULLS LAST, singer_id) / SUM(net_worth) OVER () FROM singer;

-- JOIN on an inequality with aggregation
SELECT s.name, COUNT(o.singer_id) FROM singer s LEFT JOIN singer o ON o.rating > s.rating GROUP BY s.singer_id, s.name ORDER BY 2, 1;

-- UPDATE of an alias in HAVING by COUNT DISTINCT
SELECT buyer, COUNT(DISTINCT concert_id) AS n FROM ticket GROUP BY buyer HAVING COUNT(DISTINCT concert_id) > 1 ORDER BY n DESC, buyer;

-- IS NULL on a group
SELECT (country IS NULL) AS unknown, COUNT(*), STRING_AGG(name, '|' ORDER BY name) FROM singer GROUP BY country IS NULL;

-- COALESCE of dates and text default
SELECT COALESCE(refunded_on::text, 'kept'), COALESCE(refunded_on, bought_at::date), COALESCE(TO_CHAR(bought_at, 'YYYY'), '?') FROM ticket;

-- double negation and three-valued logic
SELECT singer_id FROM singer WHERE NOT (country = 'France' AND rating > 3);

-- nested CASE with subquery
SELECT name, CASE WHEN rating > (SELECT AVG(rating) FROM singer) THEN 'above' WHEN rating IS NULL THEN 'none' ELSE 'below' END FROM singer;

-- COUNT with a correlated EXISTS in SELECT
SELECT SUM(CASE WHEN EXISTS (SELECT 1 FROM ticket t WHERE t.concert_id = c.concert_id) THEN 1 ELSE 0 END) FROM concert c;

-- array membership
SELECT name FROM singer WHERE 'France' = ANY (SELECT country FROM singer x WHERE x.singer_id = singer.singer_id);

-- ARRAY of a query
SELECT s.stadium_name, ARRAY(SELECT c.title FROM concert c WHERE c.stadium_id = s.stadium_id ORDER BY c.concert_id) FROM stadium s;

-- array to text
SELECT concert_id, ARRAY_TO_STRING(ARRAY_AGG(DISTINCT buyer ORDER BY buyer), '/') FROM ticket GROUP BY concert_id;

-- arrays written
SELECT ARRAY[1, 2, 3], (ARRAY[10, 20, 30])[2], ARRAY_LENGTH(ARRAY['a', 'b'], 1);

-- zero padded
SELECT TO_CHAR(singer_id, 'FM000'), TO_CHAR(birth_year, '0000'), TO_CHAR(birth_year, 'FM000'), TO_CHAR(singer_id - 4, 'FM00'), TO_CHAR(rating, '00.0'), TO_CHAR(-rating, 'FM00.00'), TO_CHAR(net_worth, '9,999,990.99'), TO_CHAR(net_worth, '990.00') FROM singer;

-- negative rounding to zero
SELECT TO_CHAR(rating / -1000, 'FM0.0'), TO_CHAR(rating * -1, '0.0') FROM singer;

-- format
SELECT FORMAT('%s from %s (100%%)', name, country), FORMAT('%s: %s', singer_id, is_active), FORMAT('worth %s', net_worth) FROM singer;

-- unnest by the row, with a condition
SELECT t.ticket_id, tag FROM ticket t CROSS JOIN UNNEST(STRING_TO_ARRAY(t.tags, ',')) AS tag WHERE tag <> 'cheap' ORDER BY t.ticket_id, tag;

-- unnest with a trim in a count
SELECT TRIM(tag) AS tag, COUNT(DISTINCT t.buyer) AS n FROM ticket t, LATERAL UNNEST(STRING_TO_ARRAY(t.tags, ',')) AS u(tag) GROUP BY TRIM(tag) HAVING COUNT(*) > 1 ORDER BY n DESC, tag;

-- unnest of what was gathered
SELECT UNNEST(STRING_TO_ARRAY('a,b,c', ',')) AS x;

-- series left of nothing
SELECT c.title, g.n FROM concert c JOIN LATERAL GENERATE_SERIES(c.year - 2014, 2) AS g(n) ON TRUE;

-- rollup with a label, HAVING and a limit
SELECT COALESCE(country, 'all') AS c, is_active, COUNT(*) AS n, SUM(net_worth) FROM singer WHERE country IS NOT NULL GROUP BY ROLLUP (country, is_active) HAVING COUNT(*) > 1 ORDER BY n DESC, c, is_active NULLS FIRST LIMIT 5;

-- rollup in a CTE by position with an expression
WITH r AS (SELECT EXTRACT(YEAR FROM bought_at) AS y, COUNT(*) AS n, GROUPING(EXTRACT(YEAR FROM bought_at)) AS g FROM ticket GROUP BY ROLLUP (1)) SELECT y, n, g FROM r WHERE n > 1;

-- grouping sets with plain keys
SELECT year, theme IS NULL AS no_theme, stadium_id, MAX(price) FROM concert GROUP BY year, GROUPING SETS ((theme IS NULL), (stadium_id));

-- intersect all
SELECT concert_id FROM ticket INTERSECT ALL SELECT concert_id FROM singer_in_concert ORDER BY 1;

-- arrays of flags and of amounts
SELECT country, ARRAY_AGG(is_active ORDER BY singer_id), ARRAY_AGG(net_worth ORDER BY singer_id), ARRAY_AGG(born_on ORDER BY singer_id) FROM singer GROUP BY country;
