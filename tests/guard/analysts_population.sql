CREATE TABLE singer (singer_id INTEGER PRIMARY KEY, name TEXT NOT NULL, country TEXT, birth_year INTEGER, is_active BOOLEAN, net_worth NUMERIC(12, 2), rating DOUBLE PRECISION, born_on DATE);

CREATE TABLE stadium (stadium_id INTEGER PRIMARY KEY, location TEXT, stadium_name TEXT, capacity INTEGER, opened TEXT, closed DATE);

CREATE TABLE concert (concert_id INTEGER PRIMARY KEY, title TEXT, theme TEXT, year INTEGER, held_on TEXT, stadium_id INTEGER REFERENCES stadium (stadium_id), price NUMERIC(8, 2), starts_at TIMESTAMP);

CREATE TABLE singer_in_concert (concert_id INTEGER NOT NULL REFERENCES concert (concert_id), singer_id INTEGER NOT NULL REFERENCES singer (singer_id), fee DOUBLE PRECISION, PRIMARY KEY (concert_id, singer_id));

CREATE TABLE ticket (ticket_id INTEGER PRIMARY KEY, concert_id INTEGER REFERENCES concert (concert_id), buyer TEXT, quantity INTEGER, paid DOUBLE PRECISION, bought_at TIMESTAMP, refunded_on DATE, tags TEXT, code VARCHAR(12), score BIGINT);

INSERT INTO singer VALUES
  (1, 'Joe Sharp', 'Netherlands', 1952, TRUE, 1200000.50, 4.5, '1952-02-29'),
  (2, 'Timbaland', 'United States', 1972, TRUE, 8500000.00, 3.25, '1972-03-10'),
  (3, 'Justin Brown', 'France', 1989, FALSE, NULL, 4.5, '1989-12-31'),
  (4, 'Rose White', 'France', 1979, TRUE, 300000.25, NULL, '1979-07-14'),
  (5, 'John Nizinik', 'France', 1977, NULL, 300000.25, 2.0, NULL),
  (6, 'Tribal King', 'France', 1995, FALSE, 0.00, 3.25, '1995-01-01'),
  (7, 'anna o''Neill', NULL, NULL, TRUE, 15.10, 5.0, '2000-02-29'),
  (8, 'Émile Zola', 'United States', 1972, FALSE, 99.99, 1.5, '1972-11-30');

INSERT INTO stadium VALUES
  (1, 'Raith Rovers', 'Stark''s Park', 10104, '1891-05-02', NULL),
  (2, 'Ayr United', 'Somerset Park', 11998, '1888-11-30', '2015-06-30'),
  (3, 'East Fife', 'Bayview Stadium', 2000, '1903-08-12', NULL),
  (4, 'Queen''s Park', 'Hampden Park', 52500, NULL, '2014-01-01'),
  (5, NULL, 'Recreation Park', 2000, '1895-02-28', NULL);

INSERT INTO concert VALUES
  (1, 'Auditions', 'Free choice', 2014, '2014-02-28', 1, 10.00, '2014-02-28 20:00:00'),
  (2, 'Super bootcamp', 'Free choice 2', 2014, '2014-11-30', 2, 25.50, '2014-11-30 19:30:00'),
  (3, 'Home Visits', 'Bleeding Love', 2015, '2015-01-31', 2, 25.50, '2015-01-31 23:59:59'),
  (4, 'Week 1', 'Wide Awake', 2014, '2014-12-31', 4, NULL, NULL),
  (5, 'Week 1', 'Happy Tonight', 2015, '2015-03-08', 3, 7.25, '2015-03-08 18:15:30'),
  (6, 'Week 2', 'Party_All%Night', 2015, NULL, NULL, 99.99, '2015-07-04 12:00:00'),
  (7, 'week 3', NULL, 2016, '2016-02-29', 1, 10.00, '2016-02-29 00:00:00');

INSERT INTO singer_in_concert VALUES
  (1, 2, 500), (1, 3, 250.5), (1, 5, NULL), (2, 3, 750), (2, 6, 750), (3, 5, 100), (4, 4, 320.25), (5, 6, 10),
  (5, 3, 45.125), (6, 2, 1000), (7, 1, NULL), (7, 2, 60);

INSERT INTO ticket VALUES
  (1, 1, 'alice', 2, 20.0, '2014-01-05 09:00:00', NULL, 'vip,front', 'A-001-x', 10),
  (2, 1, 'bob', 1, 10.0, '2014-01-05 09:00:00', '2014-01-20', 'front', 'A-002-y', 20),
  (3, 1, 'Alice', 4, 39.99, '2014-02-11 17:45:10', NULL, NULL, 'B-010', 20),
  (4, 2, 'carol', 3, 76.5, '2014-10-31 08:15:00', NULL, 'vip,back,cheap', 'B-011-zz', NULL),
  (5, 2, 'bob', 1, 25.5, '2014-11-01 00:00:00', '2014-11-15', '', '', 5),
  (6, 3, 'dave', NULL, NULL, '2015-01-01 10:30:00', NULL, 'cheap', NULL, 7),
  (7, 3, 'carol', 2, 51.0, '2015-01-15 11:11:11', NULL, 'vip', 'C-7', 7),
  (8, 5, 'eve', 10, 72.5, '2015-02-28 23:00:00', '2015-03-01', 'group,cheap', 'C-8', 3000000000),
  (9, 5, 'alice', 1, 7.25, '2015-03-01 06:30:00', NULL, 'front', 'D-9', 0),
  (10, 6, NULL, 5, 499.95, '2015-06-30 15:00:00', NULL, 'vip,front', 'D-10-1', -4),
  (11, 6, 'frank', 5, 499.95, NULL, NULL, NULL, 'D-10-1', -4),
  (12, NULL, 'frank', 0, 0.0, '2016-01-01 00:00:00', NULL, 'lost', 'E', 12);
