-- PostgreSQL queries on the laboratory that return the same rows on PostgreSQL, DuckDB and SQLite.
-- A line of comment names each query; an empty line ends it.

-- DATE_TRUNC per month, as a date
SELECT DATE_TRUNC('month', test_date)::date AS month, COUNT(*) FROM results GROUP BY 1 ORDER BY 1;

-- DATE_TRUNC by quarter and week, as timestamps
SELECT DATE_TRUNC('quarter', received_date) AS q, DATE_TRUNC('week', received_date) AS w, COUNT(*) FROM samples GROUP BY 1, 2;

-- INTERVAL with months at the end of a month
SELECT DISTINCT collection_date, collection_date + INTERVAL '1 month' AS next_month, collection_date - INTERVAL '1 year 2 months 3 days' AS before FROM samples WHERE EXTRACT(DAY FROM collection_date) > 28;

-- INTERVAL multiplied by a column
SELECT DISTINCT m.turnaround_days, CURRENT_DATE + m.turnaround_days * INTERVAL '1 day' AS due FROM methods m;

-- date plus and minus whole numbers, and the difference of two dates
SELECT sample_id, received_date + 7, received_date - 7, reported_date - received_date AS days FROM samples WHERE reported_date IS NOT NULL;

-- EXTRACT of every usual part
SELECT DISTINCT test_date, EXTRACT(YEAR FROM test_date), EXTRACT(QUARTER FROM test_date), EXTRACT(MONTH FROM test_date), EXTRACT(DAY FROM test_date), EXTRACT(DOW FROM test_date), EXTRACT(ISODOW FROM test_date), EXTRACT(DOY FROM test_date), EXTRACT(WEEK FROM test_date), EXTRACT(ISOYEAR FROM test_date), EXTRACT(EPOCH FROM test_date) FROM results;

-- DATE_PART, and a part that divides exactly
SELECT DISTINCT DATE_PART('doy', test_date) / 7, EXTRACT(MONTH FROM test_date) / 2 FROM results;

-- ILIKE, LIKE and their opposites
SELECT sample_id, matrix FROM samples WHERE matrix ILIKE '%WATER%' AND matrix NOT LIKE 'drinking%' AND sampling_point NOT ILIKE '%TAP%' AND matrix LIKE '%r%';

-- a collation by bytes
SELECT client_name FROM clients WHERE client_name COLLATE "C" < 'M' ORDER BY client_name COLLATE "POSIX", client_id;

-- the other names of collations
SELECT MIN(client_name COLLATE "C"), COUNT(*) FILTER (WHERE client_name COLLATE ucs_basic > 'a'), COUNT(*) FILTER (WHERE client_name = client_name COLLATE "default") FROM clients;

-- a time of day added to a date and to a timestamp, and taken from both
SELECT DISTINCT received_date, received_date + TIME '10:00', TIME '23:59:30' + received_date, received_date - TIME '10:00', received_date::timestamp + TIME '08:30', DATE_TRUNC('month', received_date) + TIME '08:30', received_date::timestamp - (TIME '08:30:15') FROM samples;

-- a time of day in a condition
SELECT COUNT(*) FROM samples WHERE received_date + TIME '10:00' < TIMESTAMP '2026-01-02 11:00:00';

-- LIKE tells capitals
SELECT COUNT(*) FILTER (WHERE matrix LIKE '%water%') AS low, COUNT(*) FILTER (WHERE matrix LIKE '%Water%') AS capital, COUNT(*) FILTER (WHERE matrix ILIKE '%water%') AS either FROM samples;

-- LIKE with ESCAPE, with a wild card as text, and with a pattern from a column
SELECT COUNT(*) FILTER (WHERE sampling_point LIKE '%!_%' ESCAPE '!'), COUNT(*) FILTER (WHERE sampling_point LIKE '%\%%'), COUNT(*) FILTER (WHERE sampling_point LIKE '%[%'), COUNT(*) FILTER (WHERE matrix LIKE LEFT(matrix, 3) || '%') FROM samples;

-- DISTINCT ON with an order and a limit
SELECT DISTINCT ON (s.client_id) s.client_id, s.sample_id, s.received_date FROM samples s ORDER BY s.client_id, s.received_date DESC, s.sample_id LIMIT 10;

-- DISTINCT ON behind a join, keys by output name
SELECT DISTINCT ON (client_name) c.client_name, s.sample_id, s.collection_date AS collected FROM clients c JOIN samples s ON s.client_id = c.client_id WHERE s.status = 'Reported' ORDER BY client_name, collected DESC, s.sample_id;

-- DISTINCT ON inside a CTE
WITH latest AS (SELECT DISTINCT ON (determinand_id) determinand_id, result_id, test_date FROM results ORDER BY determinand_id, test_date DESC, result_id DESC) SELECT d.determinand_name, l.result_id, l.test_date FROM latest l JOIN determinands d USING (determinand_id);

-- FILTER on several aggregates
SELECT a.department, COUNT(*) FILTER (WHERE r.pass_fail = 'F') AS failed, AVG(r.numeric_value) FILTER (WHERE r.qualifier IS NULL) AS mean, SUM(r.numeric_value) FILTER (WHERE r.numeric_value > 100) FROM results r JOIN analysts a ON a.analyst_id = r.analyst_id GROUP BY a.department;

-- PERCENTILE_CONT, PERCENTILE_DISC and MODE
SELECT d.determinand_name, PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY r.numeric_value) AS median, PERCENTILE_CONT(0.9) WITHIN GROUP (ORDER BY r.numeric_value DESC) AS p10, PERCENTILE_DISC(0.25) WITHIN GROUP (ORDER BY r.numeric_value) AS q1 FROM results r JOIN determinands d ON d.determinand_id = r.determinand_id GROUP BY d.determinand_name;

-- a median of days with FILTER, rounded
SELECT c.country, ROUND((PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY s.reported_date - s.received_date) FILTER (WHERE s.priority = 'Urgent'))::numeric, 1) FROM samples s JOIN clients c ON c.client_id = s.client_id GROUP BY c.country;

-- generate_series of months, joined with counts
SELECT m.month::date, COUNT(s.sample_id) FROM generate_series(DATE_TRUNC('year', CURRENT_DATE), CURRENT_DATE, INTERVAL '1 month') AS m(month) LEFT JOIN samples s ON DATE_TRUNC('month', s.received_date) = m.month GROUP BY m.month ORDER BY 1;

-- generate_series of days and of numbers
SELECT d::date AS day, n FROM generate_series('2026-06-01'::date, '2026-06-05'::date, '1 day'::interval) AS d CROSS JOIN generate_series(1, 5, 2) AS n;

-- TO_CHAR of dates
SELECT DISTINCT TO_CHAR(received_date, 'YYYY-MM'), TO_CHAR(received_date, 'FMMonth YYYY'), TO_CHAR(received_date, 'Mon YY'), TO_CHAR(received_date, 'DD/MM/YYYY'), TO_CHAR(received_date, 'IYYY-"W"IW'), TO_CHAR(received_date, 'FMDay') FROM samples;

-- TO_CHAR of a number
SELECT determinand_id, TO_CHAR(AVG(numeric_value), 'FM999990.00') FROM results WHERE numeric_value < 900000 GROUP BY determinand_id;

-- text functions
SELECT client_name, UPPER(client_name), LOWER(client_name), LENGTH(client_name), LEFT(client_name, 4), RIGHT(client_name, 3), SUBSTRING(client_name FROM 2 FOR 3), POSITION('a' IN client_name), SPLIT_PART(contact_email, '@', 2), REPLACE(client_name, ' ', '_'), REVERSE(client_name), LPAD(client_id::text, 5, '0'), RPAD(country, 12, '.'), TRIM(BOTH 'A' FROM client_name) FROM clients;

-- more text functions
SELECT sample_id, CONCAT(sample_id, ': ', sampling_point), CONCAT_WS(' / ', matrix, sampling_point, status), REPEAT('x', 3) || matrix, TRANSLATE(matrix, 'aei', 'AE'), REGEXP_REPLACE(matrix, '[aeiou]', '-', 'g'), SUBSTRING(sample_id FROM '[0-9]+'), STRPOS(matrix, 'Water'), STARTS_WITH(matrix, 'D') FROM samples;

-- regular expressions
SELECT sample_id FROM samples WHERE matrix ~ '^(Drinking|Bathing)' AND sampling_point ~* 'tap|pool' AND matrix !~ 'Milk';

-- GREATEST and LEAST leave NULL out
SELECT sample_id, GREATEST(collection_date, received_date, reported_date), LEAST(received_date, reported_date), GREATEST(NULL, 3, 2) FROM samples;

-- division of whole numbers cuts, of others does not
SELECT analyst_id, COUNT(*) / 7, COUNT(*) / 7.0, -COUNT(*) / 7, COUNT(*) % 7, 100 * COUNT(*) FILTER (WHERE pass_fail = 'F') / COUNT(*), 1.0 * COUNT(*) FILTER (WHERE pass_fail = 'F') / COUNT(*), AVG(determinand_id) / 2, COUNT(*)::numeric / 7, SUM(determinand_id) / 7 FROM results GROUP BY analyst_id;

-- NULL goes last upwards and first downwards
SELECT sample_id, reported_date FROM samples ORDER BY reported_date DESC, sample_id LIMIT 30;

-- NULL at the other end when written, and in windows
SELECT sample_id, ROW_NUMBER() OVER (PARTITION BY client_id ORDER BY reported_date, sample_id) AS n, RANK() OVER (PARTITION BY client_id ORDER BY reported_date DESC NULLS LAST) AS r FROM samples ORDER BY reported_date NULLS FIRST, sample_id LIMIT 500;

-- booleans as values, conditions and text
SELECT active, COUNT(*), BOOL_AND(active), BOOL_OR(NOT active), SUM(active::int), active::text, COUNT(*) FILTER (WHERE active IS TRUE) FROM clients GROUP BY active;

-- STRING_AGG with DISTINCT and ORDER BY
SELECT s.client_id, STRING_AGG(DISTINCT s.matrix, '; ' ORDER BY s.matrix), STRING_AGG(s.sample_id, ',' ORDER BY s.received_date DESC, s.sample_id) FROM samples s GROUP BY s.client_id;

-- ROUND of exact numbers, of floats, and casts that round
SELECT result_id, ROUND(numeric_value::numeric, 1), ROUND(numeric_value), numeric_value::int, ROUND(numeric_value::numeric / 7, 3), TRUNC(numeric_value), CEIL(numeric_value), FLOOR(numeric_value / 3) FROM results WHERE numeric_value < 1000000 AND result_id % 3 = 0;

-- casts between text, numbers and dates
SELECT result_id, result_id::text || '-' || determinand_id, '42'::int + 1, '2026-01-31'::date, CAST('1.5' AS numeric) * 2, test_date::text, numeric_value::text FROM results WHERE numeric_value < 100000 AND result_id % 5 = 0;

-- a rounded share with a sign
SELECT department, ROUND(100.0 * COUNT(*) FILTER (WHERE active) / COUNT(*), 1) || ' %' AS share FROM analysts GROUP BY department;

-- windows: running sum, moving average, share of the total, difference from the month before
WITH m AS (SELECT DATE_TRUNC('month', test_date)::date AS month, COUNT(*) AS n FROM results GROUP BY 1) SELECT month, n, SUM(n) OVER (ORDER BY month), AVG(n) OVER (ORDER BY month ROWS BETWEEN 2 PRECEDING AND CURRENT ROW), ROUND(100.0 * n / SUM(n) OVER (), 2), n - LAG(n) OVER (ORDER BY month), NTILE(4) OVER (ORDER BY n DESC, month) FROM m;

-- a window over a range of days
SELECT test_date, n, SUM(n) OVER (ORDER BY test_date RANGE BETWEEN INTERVAL '7 days' PRECEDING AND CURRENT ROW) FROM (SELECT test_date, COUNT(*) AS n FROM results GROUP BY test_date) AS d;

-- standard deviation, variance and correlation
SELECT determinand_id, STDDEV(numeric_value), STDDEV_POP(numeric_value), VARIANCE(numeric_value), VAR_POP(numeric_value), CORR(numeric_value, analyst_id), REGR_SLOPE(numeric_value, analyst_id) FROM results GROUP BY determinand_id;

-- recursion
WITH RECURSIVE weeks(n, day) AS (SELECT 1, '2026-01-05'::date UNION ALL SELECT n + 1, day + 7 FROM weeks WHERE n < 10) SELECT n, day, (SELECT COUNT(*) FROM samples s WHERE s.received_date >= day AND s.received_date < day + 7) FROM weeks;

-- bracketed sides of a union with their own order and limit
(SELECT sample_id, received_date FROM samples ORDER BY received_date DESC, sample_id LIMIT 3) UNION ALL (SELECT sample_id, received_date FROM samples ORDER BY received_date, sample_id LIMIT 3) ORDER BY 2, 1;

-- ANY and ALL over a query and over an array
SELECT client_name FROM clients WHERE client_id = ANY (SELECT client_id FROM samples WHERE priority = 'Urgent') AND client_id <> ALL (ARRAY[1, 2, 3]) AND registered_date <= ALL (SELECT registered_date + 2000 FROM clients WHERE active);

-- rows compared with rows
SELECT COUNT(*), COUNT(DISTINCT (client_id, matrix)) FROM samples WHERE (matrix, priority) IN (('Drinking Water', 'Urgent'), ('Raw Milk', 'Routine'));

-- VALUES as a table, and a list of column names after an alias
SELECT v.label, COUNT(s.sample_id) FROM (VALUES ('Routine', 'normal'), ('Urgent', 'fast')) AS v(priority, label) LEFT JOIN samples s ON s.priority = v.priority GROUP BY v.label;

-- AGE, and sums and averages of days
SELECT sample_id, AGE(reported_date, received_date), (SELECT AVG(reported_date - received_date) FROM samples), reported_date - received_date > 5 FROM samples WHERE reported_date IS NOT NULL;

-- a date as text, compared with text that is written as a date
SELECT sample_id FROM samples WHERE received_date BETWEEN '2026-01-01' AND '2026-3-31' AND collection_date >= '2026-01-05'::timestamp AND received_date <> '2026-01-07 00:00:00';

-- COALESCE of dates and of text, CASE over ranges
SELECT sample_id, COALESCE(reported_date, CURRENT_DATE) - received_date, COALESCE(reported_date::text, 'open'), CASE WHEN reported_date - received_date <= 5 THEN 'fast' WHEN reported_date IS NULL THEN 'open' ELSE 'slow' END FROM samples;

-- FULL JOIN with USING, and IS DISTINCT FROM
SELECT client_id, c.client_name, s.sample_id FROM clients c FULL JOIN samples s USING (client_id) WHERE s.priority IS DISTINCT FROM 'Routine';

-- OFFSET without LIMIT, FETCH FIRST
SELECT sample_id FROM (SELECT sample_id FROM samples ORDER BY sample_id OFFSET 2990) AS t ORDER BY sample_id FETCH FIRST 5 ROWS ONLY;

-- EXCEPT and INTERSECT bind as in PostgreSQL
SELECT client_id FROM clients EXCEPT SELECT client_id FROM samples UNION SELECT client_id FROM samples INTERSECT SELECT client_id FROM samples WHERE priority = 'Urgent';

-- MAKE_DATE, TO_DATE and timestamps
SELECT DISTINCT MAKE_DATE(EXTRACT(YEAR FROM received_date)::int, 1, 1), TO_DATE('15/06/2026', 'DD/MM/YYYY') - received_date, NOW() - INTERVAL '36 hours', received_date < NOW() - INTERVAL '36 hours' FROM samples;

-- a lateral-like top one by a correlated query
SELECT c.client_name, (SELECT s.sample_id FROM samples s WHERE s.client_id = c.client_id ORDER BY s.received_date DESC, s.sample_id LIMIT 1) AS latest FROM clients c;

-- numbers: powers, roots, logarithms, remainders
SELECT result_id, POWER(2, 3), SQRT(numeric_value), LN(numeric_value), LOG(numeric_value), ABS(-numeric_value), SIGN(numeric_value), MOD(result_id, 7), numeric_value::numeric % 3, DIV(result_id, 7) FROM results WHERE numeric_value > 0 AND numeric_value < 1000000;

-- MODE of text
SELECT d.determinand_name, MODE() WITHIN GROUP (ORDER BY r.pass_fail) FROM results r JOIN determinands d USING (determinand_id) GROUP BY 1;

-- ARRAY_AGG
SELECT ARRAY_AGG(DISTINCT matrix ORDER BY matrix) FROM samples;

-- ARRAY_AGG as text
SELECT ARRAY_TO_STRING(ARRAY_AGG(DISTINCT matrix ORDER BY matrix), ', ') FROM samples;

-- DATE_PART of AGE
SELECT date_part('year', age(CURRENT_DATE, hire_date)) AS years, analyst_name FROM analysts;

-- EXTRACT from AGE
SELECT EXTRACT(YEAR FROM AGE(CURRENT_DATE, hire_date)) AS y FROM analysts;

-- TO_CHAR with plain text and a quarter
SELECT DISTINCT TO_CHAR(received_date, 'YYYY"-Q"Q') FROM samples;

-- last year by EXTRACT
SELECT COUNT(*) FROM samples WHERE EXTRACT(YEAR FROM received_date) = EXTRACT(YEAR FROM CURRENT_DATE) - 1;

-- NOW and the end of the month
SELECT COUNT(*) FROM samples WHERE received_date >= NOW() - INTERVAL '1 month' AND received_date < date_trunc('month', now()) + interval '1 month' - interval '1 day';

-- rows compared by order
SELECT COUNT(*) FROM samples WHERE (received_date, sample_id) > ('2026-01-01', 'A');

-- NOT EXISTS and a list
SELECT s.sample_id FROM samples s WHERE NOT EXISTS (SELECT 1 FROM results r WHERE r.sample_id = s.sample_id) AND s.status IN ('Received', 'In Progress');

-- rounded statistics
SELECT ROUND(AVG(numeric_value)::numeric, 2) AS a, ROUND(STDDEV(numeric_value)::numeric, 3) AS s, MIN(numeric_value), MAX(numeric_value) FROM results;

-- a share over NULLIF
SELECT ROUND(SUM(CASE WHEN pass_fail = 'F' THEN 1 ELSE 0 END)::numeric / NULLIF(COUNT(*), 0) * 100, 2) FROM results;

-- a share from a condition as a number
SELECT ROUND(100.0 * SUM((pass_fail = 'F')::int) / COUNT(pass_fail), 1) FROM results;

-- casts before a division
SELECT CAST(COUNT(*) AS FLOAT) / 3, COUNT(*)::float / 3, COUNT(*)::decimal(10,2) / 3, (COUNT(*) / 3)::numeric(10,1) FROM samples;

-- EXTRACT EPOCH from a difference of timestamps
SELECT AVG(EXTRACT(EPOCH FROM (reported_date::timestamp - received_date::timestamp)) / 86400) FROM samples;

-- EXTRACT DAY from a difference of timestamps
SELECT EXTRACT(DAY FROM (reported_date::timestamp - received_date::timestamp)) AS d, COUNT(*) FROM samples GROUP BY 1;

-- DATE_PART of a difference of timestamps
SELECT DATE_PART('day', reported_date::timestamp - received_date::timestamp), sample_id FROM samples;

-- SUM and AVG of days, cast to NUMERIC
SELECT SUM(reported_date - received_date), AVG(reported_date - received_date)::numeric(6,2) FROM samples;

-- CASE over a part of a date
SELECT sample_id, CASE EXTRACT(ISODOW FROM received_date) WHEN 6 THEN 'Sat' WHEN 7 THEN 'Sun' ELSE 'week' END FROM samples;

-- months and hours added to written dates
SELECT DATE '2026-01-31' + INTERVAL '1 month', DATE '2026-03-31' - INTERVAL '1 month', TIMESTAMP '2026-01-01 10:00:00' + INTERVAL '90 minutes', DATE '2026-01-01' + INTERVAL '36 hours';

-- every way to say today
SELECT CURRENT_DATE, CURRENT_TIMESTAMP::date, NOW()::date, CURRENT_DATE - 1, CURRENT_DATE::text, DATE_TRUNC('year', NOW());

-- recursion over days
WITH RECURSIVE d AS (SELECT DATE '2026-06-01' AS day UNION ALL SELECT (day + INTERVAL '1 day')::date FROM d WHERE day < DATE '2026-06-10') SELECT d.day, COUNT(s.sample_id) FROM d LEFT JOIN samples s ON s.received_date = d.day GROUP BY d.day;

-- SIMILAR TO
SELECT client_id FROM clients WHERE client_name SIMILAR TO '%(Water|Food)%' OR client_name SIMILAR TO '[A-C]%';

-- digits of a code
SELECT REGEXP_REPLACE(sample_id, '[^0-9]', '', 'g')::bigint % 10 AS d, COUNT(*) FROM samples GROUP BY 1;

-- HAVING without GROUP BY
SELECT COUNT(*), COUNT(DISTINCT matrix), COUNT(reported_date) FROM samples HAVING COUNT(*) > 5;

-- LEFT JOIN with a grouped query
SELECT a.analyst_name, COALESCE(x.n, 0) FROM analysts a LEFT JOIN (SELECT analyst_id, COUNT(*) n FROM worksheets GROUP BY analyst_id) x ON x.analyst_id = a.analyst_id;

-- PERCENT_RANK, CUME_DIST, FIRST_VALUE and NTH_VALUE
SELECT PERCENT_RANK() OVER (ORDER BY n, m), CUME_DIST() OVER (ORDER BY n, m), FIRST_VALUE(m) OVER (ORDER BY n, m), NTH_VALUE(m, 2) OVER (ORDER BY n, m) FROM (SELECT matrix m, COUNT(*) n FROM samples GROUP BY matrix) t;

-- a window over groups
SELECT matrix, SUM(COUNT(*)) OVER (ORDER BY matrix) FROM samples GROUP BY matrix;

-- the two latest of each
SELECT * FROM (SELECT s.*, ROW_NUMBER() OVER (PARTITION BY client_id ORDER BY received_date DESC, sample_id) rn FROM samples s) t WHERE rn <= 2;

-- numbers joined to text
SELECT m.method_code || ' (' || m.turnaround_days || ' d)' FROM methods m;

-- booleans as values
SELECT accredited, NOT accredited, accredited AND TRUE, (accredited = TRUE), (accredited IS NOT TRUE) FROM methods;

-- booleans compared with text
SELECT method_code FROM methods WHERE accredited = 'true' AND accredited != 'f';

-- booleans aggregated
SELECT SUM(CASE WHEN accredited THEN 1 END), BOOL_AND(accredited), EVERY(turnaround_days > 0), MAX(accredited::int) FROM methods;

-- STRING_AGG by two keys, and DISTINCT without an order
SELECT STRING_AGG(method_code, ',' ORDER BY turnaround_days DESC, method_code), STRING_AGG(DISTINCT technique, ' | ') FROM methods;

-- several keys in either direction with OFFSET
SELECT s.sample_id FROM samples s ORDER BY s.priority DESC, s.reported_date NULLS FIRST, s.sample_id DESC LIMIT 25 OFFSET 5;

-- a float as text
SELECT numeric_value::text || ' ' || qualifier FROM results WHERE result_id < 300;

-- GREATEST and LEAST of numbers
SELECT GREATEST(0, numeric_value - 5), LEAST(numeric_value, detection_limit, limit_value) FROM results JOIN determinands USING (determinand_id) WHERE result_id < 500;

-- rounding up, down, to even and away from zero
SELECT CEIL(numeric_value), CEILING(numeric_value / 3), FLOOR(-numeric_value), TRUNC(numeric_value::numeric, 1), ROUND(numeric_value::numeric), numeric_value::int, ROUND(-numeric_value) FROM results WHERE numeric_value < 100000 AND result_id < 2000;

-- MAKE_INTERVAL and intervals from columns
SELECT MAKE_INTERVAL(days => 3) + DATE '2026-01-01', DATE '2026-01-01' + turnaround_days * INTERVAL '1 day', DATE '2026-01-01' + (turnaround_days || ' days')::interval FROM methods;

-- the whole of last month
SELECT COUNT(*) FROM samples WHERE received_date BETWEEN DATE_TRUNC('month', CURRENT_DATE - INTERVAL '1 month') AND DATE_TRUNC('month', CURRENT_DATE) - INTERVAL '1 day';

-- the longest AGE
SELECT MIN(reported_date - received_date), MAX(AGE(reported_date, received_date)) FROM samples;

-- the last day of a month
SELECT DATE_TRUNC('month', received_date) AS m, DATE_TRUNC('month', received_date) + INTERVAL '1 month - 1 day' AS last FROM samples GROUP BY 1;

-- months by number and name
SELECT EXTRACT(MONTH FROM received_date)::int AS m, TO_CHAR(DATE_TRUNC('month', received_date), 'Mon') FROM samples GROUP BY 1, 2;

-- CONCAT of everything
SELECT CONCAT(client_name, NULL, city, client_id, active), CONCAT_WS('-', city, NULL, client_id) FROM clients;

-- positions, and lengths from the end
SELECT SUBSTRING(client_name, 1, 3), SUBSTR(client_name, 3), LEFT(client_name, -2), RIGHT(client_name, -2), LENGTH(TRIM(client_name)), POSITION(' ' IN client_name), CHAR_LENGTH(client_name), ASCII(client_name), CHR(65) FROM clients;

-- more than ANY of a query
SELECT COUNT(*) FROM results WHERE numeric_value > ANY (SELECT limit_value FROM determinands WHERE limit_value IS NOT NULL);

-- more than ALL of a query
SELECT COUNT(*) FROM results WHERE numeric_value > ALL (SELECT limit_value FROM determinands);

-- HAVING against an average of counts
SELECT status, COUNT(*) AS n FROM samples GROUP BY status HAVING COUNT(*) > (SELECT AVG(n) FROM (SELECT COUNT(*) AS n FROM samples GROUP BY status) x) ORDER BY n DESC;

-- TO_DATE by month, days between written dates
SELECT TO_DATE('2026-05', 'YYYY-MM'), '2026-05-01'::date - '2026-04-01'::date, DATE '2026-05-01' - 30;

-- arithmetic
SELECT LOG(100), LOG(2, 8), LN(EXP(1)), POWER(2, 0.5), 7 % 3, 7.5 % 2, -7 / 2, MOD(-7, 3), 5 / 2.0, CBRT(27), SIGN(-2.5), PI(), DEGREES(PI());

-- LIKE with a backslash; AND before OR
SELECT 1 WHERE 'abc' LIKE 'A%' OR 'abc' ILIKE 'A_C' AND NOT 'a%c' LIKE 'a\%d';

-- ILIKE ANY
SELECT client_name FROM clients WHERE client_name ILIKE ANY (ARRAY['%water%', '%food%']);

-- FULL JOIN of grouped queries
SELECT a.department, a.n, b.n FROM (SELECT department, COUNT(*) n FROM analysts GROUP BY 1) a FULL OUTER JOIN (SELECT department, COUNT(*) n FROM analysts WHERE active GROUP BY 1) b ON a.department = b.department;

-- dates compared with timestamps
SELECT received_date::date = reported_date, received_date < reported_date::timestamp, received_date = '2026-01-01'::timestamp FROM samples WHERE reported_date IS NOT NULL;

-- hours added to the latest date
SELECT MAX(received_date)::timestamp, MAX(received_date) + INTERVAL '1 hour', DATE_TRUNC('hour', MAX(received_date) + INTERVAL '90 minutes') FROM samples;

-- LATERAL: the latest of each, or none
SELECT c.client_name, x.sample_id, x.received_date AS received FROM clients c LEFT JOIN LATERAL (SELECT s.sample_id, s.received_date FROM samples s WHERE s.client_id = c.client_id ORDER BY s.received_date DESC, s.sample_id LIMIT 1) x ON TRUE ORDER BY x.received_date, c.client_name;

-- LATERAL: the latest of each that has one
SELECT c.client_name, x.sample_id FROM clients c CROSS JOIN LATERAL (SELECT s.sample_id FROM samples s WHERE s.client_id = c.client_id ORDER BY s.received_date DESC, s.sample_id LIMIT 1) AS x WHERE c.active;

-- LATERAL: aggregates of each, used twice
SELECT a.analyst_name, x.n, x.n / 2, x.last FROM analysts a, LATERAL (SELECT COUNT(*) AS n, MAX(r.test_date) AS last FROM results r WHERE r.analyst_id = a.analyst_id) AS x WHERE x.n > 10;

-- LATERAL with names after its alias, grouped
SELECT x.latest, COUNT(*) FROM clients c LEFT JOIN LATERAL (SELECT MAX(s.received_date) FROM samples s WHERE s.client_id = c.client_id) AS x(latest) ON TRUE GROUP BY x.latest;

-- a share of the sum of counts is not cut
SELECT matrix, COUNT(*) * 100 / SUM(COUNT(*)) OVER () AS share FROM samples GROUP BY matrix;

-- shares of a running sum, and of a sum in a subquery
WITH t(m, n) AS (SELECT matrix, COUNT(*) FROM samples GROUP BY matrix) SELECT m, SUM(n) OVER (ORDER BY n DESC, m) / SUM(n) OVER () AS share, n * 100 / (SELECT SUM(n) FROM t) AS percent, n * 100 / (SELECT MAX(n) FROM t) AS cut FROM t;

-- sums of counts: exact, and as text and as a whole number
SELECT analyst_id, SUM(n) / COUNT(*) AS per_day, SUM(n) % 7, SUM(n)::int / 7, SUM(n)::bigint / 7, SUM(n)::text FROM (SELECT analyst_id, test_date, COUNT(*) AS n FROM results GROUP BY 1, 2) AS q GROUP BY analyst_id;

-- sums of positions and of BIGINT are exact, sums of NTILE and of INTEGER are whole
SELECT SUM(n) / 2, SUM(d) / 7, SUM(q) / 4, MAX(n) / 2, SUM(client_id::bigint) / 2, SUM(client_id) / 2 FROM (SELECT client_id, ROW_NUMBER() OVER (ORDER BY client_id) AS n, DENSE_RANK() OVER (ORDER BY client_type) AS d, NTILE(4) OVER (ORDER BY client_id) AS q FROM clients) AS x;

-- a sum of sums
SELECT technique, SUM(SUM(turnaround_days)) OVER () / 7, SUM(turnaround_days) / 7, COUNT(*) * 10 / COUNT(turnaround_days), CURRENT_DATE + SUM(turnaround_days) * INTERVAL '1 day' FROM methods GROUP BY technique;

-- COALESCE, GREATEST and ROUND of a sum of counts; a large whole number
SELECT COALESCE(SUM(n), 0) / 7, GREATEST(SUM(n), 1) / 7, ROUND(SUM(n) / COUNT(*), 2), 3000000000 / 7, AVG(n) / 7 FROM (SELECT COUNT(*) AS n FROM samples GROUP BY matrix) AS q;

-- rounded to tens and hundreds
SELECT turnaround_days, ROUND(turnaround_days, -1), ROUND(turnaround_days::numeric, -1)::text, TRUNC(turnaround_days * 123.45, -2), ROUND(AVG(turnaround_days) * 1000, -2) FROM methods GROUP BY turnaround_days;

-- hundreds: a half goes away from zero
SELECT ROUND(numeric_value::numeric, -2) AS hundreds, COUNT(*), ROUND(250, -2), ROUND(-250, -2), ROUND(1250.5, -2), ROUND(49, -2) FROM results GROUP BY 1;

-- a date is compared with the day of a written time
SELECT received_date, COUNT(*) FROM samples WHERE received_date >= '2026-06-08 12:00' AND received_date NOT IN ('2026-06-09 10:00', '2026-06-10') AND received_date BETWEEN '2026-01-01' AND '2026-06-12 23:59' GROUP BY received_date;

-- a timestamp is compared with the time
SELECT COUNT(*) FILTER (WHERE received_date = '2026-06-08 12:00'), COUNT(*) FILTER (WHERE received_date::timestamp >= '2026-06-08 12:00'), COUNT(*) FILTER (WHERE DATE_TRUNC('month', received_date) < '2026-06-01 12:00') FROM samples;

-- floats with two digits: the half that is written, not the one that is kept
SELECT x, x::numeric(10,2), x::numeric(10,1), x::numeric(10), (0.145::float)::numeric(10,2), 0.145::numeric(10,2) FROM (VALUES (0.145::float), (2.675::float), (-1.005::float), (1234.5::float)) AS v(x);

-- measured values with two digits, and as exact text
SELECT result_id, numeric_value::numeric(10,2), (numeric_value / 3)::numeric(8,1), CASE WHEN numeric_value BETWEEN 0.001 AND 1000 THEN numeric_value::numeric::text END FROM results WHERE result_id <= 9000;

-- seconds with a fraction
SELECT EXTRACT(SECOND FROM TIMESTAMP '2026-06-15 10:20:30.5'), DATE_PART('second', received_date + INTERVAL '90 seconds') FROM samples;

-- days between a date and a written one, either way round; dates that were text
SELECT '2026-06-20' - received_date, received_date - '2026-01-01', (received_date::text)::date - DATE '2026-01-01', CAST(TO_CHAR(reported_date, 'YYYY-MM-DD') AS DATE) - received_date FROM samples;

-- days between any values of a group
SELECT sample_id, ANY_VALUE(reported_date) - ANY_VALUE(received_date) AS days, ANY_VALUE(received_date) + 7 FROM samples GROUP BY sample_id;
