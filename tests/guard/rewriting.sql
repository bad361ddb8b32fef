-- What is written in PostgreSQL, and what runs: a case has its name, the text, and one line for each dialect.
-- Today is 2026-06-15.

-- a name takes the spelling of its declaration
SELECT SAMPLE_ID, "status" FROM Samples
-- postgres: SELECT sample_id, status FROM samples
-- duckdb: SELECT sample_id, status FROM samples
-- sqlite: SELECT sample_id, status FROM samples

-- a star becomes the columns that it stands for
SELECT * FROM methods
-- postgres: SELECT method_id, method_code, method_name, technique, accredited, turnaround_days FROM methods
-- duckdb: SELECT method_id, method_code, method_name, technique, accredited, turnaround_days FROM methods
-- sqlite: SELECT method_id, method_code, method_name, technique, accredited, turnaround_days FROM methods

-- a star of one table
SELECT s.*, c.client_name FROM worksheet_samples s JOIN clients c ON TRUE
-- postgres: SELECT s.worksheet_id, s.sample_id, s.position, c.client_name FROM worksheet_samples AS s JOIN clients AS c ON TRUE
-- duckdb: SELECT s.worksheet_id, s.sample_id, s.position, c.client_name FROM worksheet_samples AS s JOIN clients AS c ON TRUE
-- sqlite: SELECT s.worksheet_id, s.sample_id, s.position, c.client_name FROM worksheet_samples AS s JOIN clients AS c ON TRUE

-- a CTE that hides a table gets another name
WITH samples AS (SELECT client_id FROM clients) SELECT client_id FROM samples
-- postgres: WITH samples_cte AS (SELECT client_id FROM clients) SELECT client_id FROM samples_cte
-- duckdb: WITH samples_cte AS (SELECT client_id FROM clients) SELECT client_id FROM samples_cte
-- sqlite: WITH samples_cte AS (SELECT client_id FROM clients) SELECT client_id FROM samples_cte

-- columns merged by USING stand once
SELECT * FROM worksheet_samples JOIN worksheets USING (worksheet_id)
-- postgres: SELECT worksheet_id, worksheet_samples.sample_id, worksheet_samples.position, worksheets.method_id, worksheets.analyst_id, worksheets.worksheet_date, worksheets.status FROM worksheet_samples JOIN worksheets USING (worksheet_id)
-- duckdb: SELECT worksheet_id, worksheet_samples.sample_id, worksheet_samples.position, worksheets.method_id, worksheets.analyst_id, worksheets.worksheet_date, worksheets.status FROM worksheet_samples JOIN worksheets USING (worksheet_id)
-- sqlite: SELECT worksheet_id, worksheet_samples.sample_id, worksheet_samples.position, worksheets.method_id, worksheets.analyst_id, worksheets.worksheet_date, worksheets.status FROM worksheet_samples JOIN worksheets USING (worksheet_id)

-- NATURAL JOIN is written out
SELECT worksheet_id FROM worksheets NATURAL JOIN worksheet_samples
-- postgres: SELECT worksheet_id FROM worksheets JOIN worksheet_samples USING (worksheet_id)
-- duckdb: SELECT worksheet_id FROM worksheets JOIN worksheet_samples USING (worksheet_id)
-- sqlite: SELECT worksheet_id FROM worksheets JOIN worksheet_samples USING (worksheet_id)

-- an output name in ORDER BY
SELECT client_name AS n FROM clients ORDER BY n
-- postgres: SELECT client_name AS n FROM clients ORDER BY n
-- duckdb: SELECT client_name AS n FROM clients ORDER BY n
-- sqlite: SELECT client_name AS n FROM clients ORDER BY n NULLS LAST

-- comments are dropped
SELECT /* hello */ 1 -- there
-- postgres: SELECT 1
-- duckdb: SELECT 1
-- sqlite: SELECT 1

-- the end of a statement is dropped
SELECT 1;
-- postgres: SELECT 1
-- duckdb: SELECT 1
-- sqlite: SELECT 1

-- today is frozen
SELECT sample_id FROM samples WHERE received_date >= CURRENT_DATE - INTERVAL '30 days'
-- postgres: SELECT sample_id FROM samples WHERE received_date >= CAST('2026-06-15' AS DATE) - INTERVAL '30 DAYS'
-- duckdb: SELECT sample_id FROM samples WHERE received_date >= CAST('2026-06-15' AS DATE) - INTERVAL '30' DAYS
-- sqlite: SELECT sample_id FROM samples WHERE received_date >= DATE('2026-06-15', '-30 days')

-- the first day of the month
SELECT DATE_TRUNC('month', received_date)::date FROM samples
-- postgres: SELECT CAST(DATE_TRUNC('MONTH', received_date) AS DATE) FROM samples
-- duckdb: SELECT CAST(DATE_TRUNC('MONTH', received_date) AS DATE) FROM samples
-- sqlite: SELECT DATE(received_date, 'start of month') FROM samples

-- the week begins on Monday
SELECT DATE_TRUNC('week', received_date) FROM samples
-- postgres: SELECT DATE_TRUNC('WEEK', received_date) FROM samples
-- duckdb: SELECT DATE_TRUNC('WEEK', received_date) FROM samples
-- sqlite: SELECT DATE(received_date, '-6 days', 'weekday 1') FROM samples

-- a month after
SELECT received_date + INTERVAL '1 month' FROM samples
-- postgres: SELECT received_date + INTERVAL '1 MONTH' FROM samples
-- duckdb: SELECT received_date + INTERVAL '1' MONTH FROM samples
-- sqlite: SELECT MN_DATE_ADD(received_date, 1, 0) FROM samples

-- days between
SELECT reported_date - received_date FROM samples
-- postgres: SELECT reported_date - received_date FROM samples
-- duckdb: SELECT reported_date - received_date FROM samples
-- sqlite: SELECT CAST(JULIANDAY(reported_date) - JULIANDAY(received_date) AS INTEGER) FROM samples

-- parts of a date
SELECT EXTRACT(YEAR FROM received_date), EXTRACT(DOW FROM received_date) FROM samples
-- postgres: SELECT EXTRACT(YEAR FROM received_date), EXTRACT(DOW FROM received_date) FROM samples
-- duckdb: SELECT EXTRACT(YEAR FROM received_date), EXTRACT(DAYOFWEEK FROM received_date) FROM samples
-- sqlite: SELECT CAST(STRFTIME('%Y', received_date) AS INTEGER), CAST(STRFTIME('%w', received_date) AS INTEGER) FROM samples

-- ILIKE
SELECT 1 FROM samples WHERE matrix ILIKE '%water%'
-- postgres: SELECT 1 FROM samples WHERE matrix ILIKE '%water%'
-- duckdb: SELECT 1 FROM samples WHERE matrix ILIKE '%water%'
-- sqlite: SELECT 1 FROM samples WHERE matrix LIKE '%water%'

-- LIKE tells capitals
SELECT 1 FROM samples WHERE matrix LIKE 'Raw%'
-- postgres: SELECT 1 FROM samples WHERE matrix LIKE 'Raw%'
-- duckdb: SELECT 1 FROM samples WHERE matrix LIKE 'Raw%'
-- sqlite: SELECT 1 FROM samples WHERE matrix GLOB 'Raw*'

-- LIKE with a mark before a wild card
SELECT 1 FROM samples WHERE matrix LIKE '100!%' ESCAPE '!'
-- postgres: SELECT 1 FROM samples WHERE matrix LIKE '100!%' ESCAPE '!'
-- duckdb: SELECT 1 FROM samples WHERE matrix LIKE '100!%' ESCAPE '!'
-- sqlite: SELECT 1 FROM samples WHERE matrix GLOB '100%'

-- DISTINCT ON
SELECT DISTINCT ON (client_id) client_id, sample_id FROM samples ORDER BY client_id, received_date DESC
-- postgres: SELECT DISTINCT ON (client_id) client_id, sample_id FROM samples ORDER BY client_id, received_date DESC
-- duckdb: SELECT DISTINCT ON (client_id) client_id, sample_id FROM samples ORDER BY client_id, received_date DESC NULLS FIRST
-- sqlite: SELECT each_row.client_id, each_row.sample_id FROM (SELECT client_id, sample_id, ROW_NUMBER() OVER (PARTITION BY client_id ORDER BY client_id NULLS LAST, received_date DESC NULLS FIRST) AS first_of_each, client_id AS sort_1, received_date AS sort_2 FROM samples) AS each_row WHERE each_row.first_of_each = 1 ORDER BY each_row.sort_1 NULLS LAST, each_row.sort_2 DESC NULLS FIRST

-- a percentile
SELECT PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY numeric_value) FROM results
-- postgres: SELECT PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY numeric_value) FROM results
-- duckdb: SELECT QUANTILE_CONT(numeric_value, 0.5 ORDER BY numeric_value) FROM results
-- sqlite: SELECT MN_PERCENTILE_CONT(numeric_value, 0.5, 0) FROM results

-- a series of days
SELECT d FROM generate_series('2026-06-01'::date, '2026-06-03'::date, INTERVAL '1 day') AS d
-- postgres: SELECT d FROM GENERATE_SERIES(CAST('2026-06-01' AS DATE), CAST('2026-06-03' AS DATE), INTERVAL '1 DAY') AS d(d)
-- duckdb: SELECT d FROM GENERATE_SERIES(CAST('2026-06-01' AS DATE), CAST('2026-06-03' AS DATE), INTERVAL '1' DAY) AS d(d)
-- sqlite: SELECT d FROM (WITH RECURSIVE series(d) AS (SELECT '2026-06-01' WHERE '2026-06-01' <= '2026-06-03' UNION ALL SELECT DATE(series.d, '+1 days') FROM series WHERE DATE(series.d, '+1 days') <= '2026-06-03') SELECT series.d FROM series) AS d

-- a template
SELECT TO_CHAR(received_date, 'FMMonth YYYY') FROM samples
-- postgres: SELECT TO_CHAR(received_date, 'FMMonth YYYY') FROM samples
-- duckdb: SELECT STRFTIME(received_date, '%B %Y') FROM samples
-- sqlite: SELECT MN_TO_CHAR(received_date, 'FMMonth YYYY') FROM samples

-- text in order
SELECT STRING_AGG(sample_id, ', ' ORDER BY sample_id) FROM samples
-- postgres: SELECT STRING_AGG(sample_id, ', ' ORDER BY sample_id) FROM samples
-- duckdb: SELECT LISTAGG(sample_id, ', ' ORDER BY sample_id) FROM samples
-- sqlite: SELECT MN_STRING_AGG(sample_id, ', ', '-a', sample_id) FROM samples

-- the largest, NULL left out
SELECT GREATEST(received_date, reported_date) FROM samples
-- postgres: SELECT GREATEST(received_date, reported_date) FROM samples
-- duckdb: SELECT GREATEST(received_date, reported_date) FROM samples
-- sqlite: SELECT MN_GREATEST(received_date, reported_date) FROM samples

-- whole numbers divide whole
SELECT COUNT(*) / 7 FROM samples
-- postgres: SELECT COUNT(*) / 7 FROM samples
-- duckdb: SELECT COUNT(*) // 7 FROM samples
-- sqlite: SELECT COUNT(*) / 7 FROM samples

-- exact numbers do not
SELECT EXTRACT(DOY FROM received_date) / 7 FROM samples
-- postgres: SELECT EXTRACT(DOY FROM received_date) / 7 FROM samples
-- duckdb: SELECT EXTRACT(DAYOFYEAR FROM received_date) / 7 FROM samples
-- sqlite: SELECT CAST(CAST(STRFTIME('%j', received_date) AS INTEGER) AS REAL) / 7 FROM samples

-- a rounded exact number
SELECT ROUND(AVG(analyst_id), 2) FROM results
-- postgres: SELECT ROUND(CAST(AVG(analyst_id) AS DECIMAL), 2) FROM results
-- duckdb: SELECT ROUND(CAST(AVG(analyst_id) AS DECIMAL(38, 12)), 2) FROM results
-- sqlite: SELECT ROUND(AVG(analyst_id), 2) FROM results

-- NULL goes first downwards
SELECT sample_id FROM samples ORDER BY reported_date DESC
-- postgres: SELECT sample_id FROM samples ORDER BY reported_date DESC
-- duckdb: SELECT sample_id FROM samples ORDER BY reported_date DESC NULLS FIRST
-- sqlite: SELECT sample_id FROM samples ORDER BY reported_date DESC NULLS FIRST

-- a boolean as text
SELECT active::text FROM clients
-- postgres: SELECT CAST(active AS TEXT) FROM clients
-- duckdb: SELECT CAST(active AS TEXT) FROM clients
-- sqlite: SELECT CASE WHEN active THEN 'true' WHEN NOT active THEN 'false' END FROM clients

-- a union of bracketed sides
(SELECT sample_id FROM samples LIMIT 1) UNION ALL (SELECT sample_id FROM samples LIMIT 2)
-- postgres: (SELECT sample_id FROM samples LIMIT 1) UNION ALL (SELECT sample_id FROM samples LIMIT 2)
-- duckdb: (SELECT sample_id FROM samples LIMIT 1) UNION ALL (SELECT sample_id FROM samples LIMIT 2)
-- sqlite: SELECT side.sample_id FROM (SELECT sample_id FROM samples LIMIT 1) AS side UNION ALL SELECT side.sample_id FROM (SELECT sample_id FROM samples LIMIT 2) AS side

-- rows in a list
SELECT 1 FROM samples WHERE (matrix, priority) IN (('Raw Milk', 'Urgent'))
-- postgres: SELECT 1 FROM samples WHERE (matrix, priority) IN (('Raw Milk', 'Urgent'))
-- duckdb: SELECT 1 FROM samples WHERE ((matrix = 'Raw Milk' AND priority = 'Urgent'))
-- sqlite: SELECT 1 FROM samples WHERE (matrix, priority) IN (VALUES ('Raw Milk', 'Urgent'))

-- any of a query
SELECT 1 FROM clients WHERE client_id = ANY (SELECT client_id FROM samples)
-- postgres: SELECT 1 FROM clients WHERE client_id = ANY (SELECT client_id FROM samples)
-- duckdb: SELECT 1 FROM clients WHERE client_id = ANY (SELECT client_id FROM samples)
-- sqlite: SELECT 1 FROM clients WHERE client_id IN (SELECT client_id FROM samples)

-- names of columns after an alias
SELECT v.a FROM (VALUES (1), (2)) AS v(a)
-- postgres: SELECT v.a FROM (VALUES (1), (2)) AS v(a)
-- duckdb: SELECT v.a FROM (VALUES (1), (2)) AS v(a)
-- sqlite: SELECT v.a FROM (SELECT 1 AS a UNION ALL SELECT 2 AS a) AS v

-- FETCH FIRST
SELECT sample_id FROM samples FETCH FIRST 3 ROWS ONLY
-- postgres: SELECT sample_id FROM samples FETCH FIRST 3 ROWS ONLY
-- duckdb: SELECT sample_id FROM samples LIMIT 3
-- sqlite: SELECT sample_id FROM samples LIMIT 3

-- a name that is a keyword keeps its quotes
SELECT client_id AS "order", COUNT(*) AS "two words" FROM samples GROUP BY client_id
-- postgres: SELECT client_id AS "order", COUNT(*) AS "two words" FROM samples GROUP BY client_id
-- duckdb: SELECT client_id AS "order", COUNT(*) AS "two words" FROM samples GROUP BY client_id
-- sqlite: SELECT client_id AS "order", COUNT(*) AS "two words" FROM samples GROUP BY client_id

-- a sum of counts is exact
SELECT COUNT(*) * 100 / SUM(COUNT(*)) OVER () FROM samples GROUP BY matrix
-- postgres: SELECT COUNT(*) * 100 / SUM(COUNT(*)) OVER () FROM samples GROUP BY matrix
-- duckdb: SELECT COUNT(*) * 100 / NULLIF(SUM(COUNT(*)) OVER (), 0) FROM samples GROUP BY matrix
-- sqlite: SELECT CAST(COUNT(*) * 100 AS REAL) / SUM(COUNT(*)) OVER () FROM samples GROUP BY matrix

-- hundreds
SELECT ROUND(analyst_id, -2) FROM results
-- postgres: SELECT ROUND(analyst_id, -2) FROM results
-- duckdb: SELECT ROUND(analyst_id, -2) FROM results
-- sqlite: SELECT (ROUND(CAST(analyst_id AS REAL) / 100.0) * 100) FROM results

-- a date and a written time
SELECT sample_id FROM samples WHERE received_date = '2026-06-08 12:00'
-- postgres: SELECT sample_id FROM samples WHERE received_date = '2026-06-08 12:00'
-- duckdb: SELECT sample_id FROM samples WHERE received_date = '2026-06-08 12:00'
-- sqlite: SELECT sample_id FROM samples WHERE received_date = '2026-06-08'

-- a float with two digits
SELECT numeric_value::numeric(10,2) FROM results
-- postgres: SELECT CAST(numeric_value AS DECIMAL(10, 2)) FROM results
-- duckdb: SELECT CAST(CAST(numeric_value AS DECIMAL(38, 12)) AS DECIMAL(10, 2)) FROM results
-- sqlite: SELECT ROUND(numeric_value, 2) FROM results
