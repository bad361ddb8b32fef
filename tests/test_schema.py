"""Schemas are read from what people have, and printed as the bytes that models are trained on."""

import random
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mnemosyne import lims
from mnemosyne.errors import SchemaError
from mnemosyne.schema import Column, ForeignKey, Schema, Table, canonical_type
from mnemosyne.schema.checks import value_lists

LAB = """\
CREATE TABLE analysts (
    analyst_id INTEGER PRIMARY KEY,
    analyst_name TEXT NOT NULL,
    department TEXT NOT NULL CHECK (department IN ('Microbiology', 'Chemistry', 'Sample Reception')),
    job_title TEXT NOT NULL,
    hire_date DATE NOT NULL,
    active BOOLEAN NOT NULL
);

CREATE TABLE clients (
    client_id INTEGER PRIMARY KEY,
    client_name TEXT NOT NULL,
    client_type TEXT NOT NULL CHECK (client_type IN ('Food Manufacturer', 'Water Utility', 'Local Authority', \
'Hospitality', 'Environmental Agency', 'Retailer')),
    city TEXT,
    country TEXT NOT NULL,
    contact_email TEXT,
    registered_date DATE NOT NULL,
    active BOOLEAN NOT NULL
);

CREATE TABLE methods (
    method_id INTEGER PRIMARY KEY,
    method_code TEXT NOT NULL,
    method_name TEXT NOT NULL,
    technique TEXT NOT NULL,
    accredited BOOLEAN NOT NULL,
    turnaround_days INTEGER NOT NULL
);

CREATE TABLE determinands (
    determinand_id INTEGER PRIMARY KEY,
    determinand_name TEXT NOT NULL,
    category TEXT NOT NULL CHECK (category IN ('Microbiology', 'Chemistry', 'Physical')),
    unit TEXT NOT NULL,
    method_id INTEGER NOT NULL REFERENCES methods (method_id),
    detection_limit FLOAT,
    limit_value FLOAT
);

CREATE TABLE samples (
    sample_id TEXT PRIMARY KEY,
    client_id INTEGER NOT NULL REFERENCES clients (client_id),
    matrix TEXT NOT NULL CHECK (matrix IN ('Drinking Water', 'Surface Water', 'Ground Water', 'Waste Water', \
'Bathing Water', 'Raw Milk', 'Ready-to-Eat Food', 'Raw Meat', 'Environmental Swab')),
    sampling_point TEXT,
    collection_date DATE NOT NULL,
    received_date DATE NOT NULL,
    reported_date DATE,
    status TEXT NOT NULL CHECK (status IN ('Received', 'In Progress', 'Completed', 'Reported', 'Cancelled')),
    priority TEXT NOT NULL CHECK (priority IN ('Routine', 'Urgent'))
);

CREATE TABLE results (
    result_id INTEGER PRIMARY KEY,
    sample_id TEXT NOT NULL REFERENCES samples (sample_id),
    determinand_id INTEGER NOT NULL REFERENCES determinands (determinand_id),
    analyst_id INTEGER NOT NULL REFERENCES analysts (analyst_id),
    numeric_value FLOAT,
    qualifier TEXT CHECK (qualifier IN ('<', '>')),
    pass_fail TEXT CHECK (pass_fail IN ('P', 'F')),
    test_date DATE NOT NULL,
    approved_date DATE
);

CREATE TABLE worksheets (
    worksheet_id INTEGER PRIMARY KEY,
    method_id INTEGER NOT NULL REFERENCES methods (method_id),
    analyst_id INTEGER NOT NULL REFERENCES analysts (analyst_id),
    worksheet_date DATE NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('Open', 'In Progress', 'Complete', 'Approved'))
);

CREATE TABLE worksheet_samples (
    worksheet_id INTEGER NOT NULL REFERENCES worksheets (worksheet_id),
    sample_id TEXT NOT NULL REFERENCES samples (sample_id),
    position INTEGER NOT NULL,
    PRIMARY KEY (worksheet_id, sample_id)
);"""
"""Models are trained on these bytes: a change here makes every adapter and every saved prefix worthless."""


def printed(ddl: str, dialect: str = "postgres") -> str:
    return Schema.from_ddl(ddl, dialect).to_ddl()


def one_line(ddl: str, dialect: str = "postgres") -> str:
    """The columns of a single table, without layout."""
    return " ".join(printed(ddl, dialect).split())


def test_the_laboratory_prints_these_bytes() -> None:
    assert printed(lims.ddl()) == LAB


def test_what_is_printed_reads_back_the_same() -> None:
    assert printed(LAB) == LAB


def test_the_order_of_the_source_does_not_matter() -> None:
    schema = Schema.from_ddl(LAB)
    for seed in range(5):
        tables = list(schema.tables)
        random.Random(seed).shuffle(tables)
        assert Schema(tuple(tables)).to_ddl() == LAB


def test_tables_that_refer_to_each_other_in_a_circle_are_all_printed_once() -> None:
    ddl = "CREATE TABLE b (x INT REFERENCES a (y)); CREATE TABLE a (y INT REFERENCES b (x)); CREATE TABLE c (z INT);"
    text = printed(ddl)
    assert [line.split()[2] for line in text.splitlines() if line.startswith("CREATE")] == ["c", "a", "b"]
    assert printed(text) == text


def test_lookups_ignore_case_but_prefer_the_exact_name() -> None:
    schema = Schema((Table("T", (Column("a", "INT"), Column("A", "INT"))), Table("t", (Column("b", "INT"),))))
    assert schema.table("t") is schema.tables[1]
    assert schema.table("T") is schema.tables[0]
    assert Schema.from_ddl(LAB).table("SAMPLES") is not None
    assert Schema.from_ddl(LAB).table("sample") is None
    assert schema.tables[0].column("A") == Column("A", "INT")
    assert schema.tables[0].column("x") is None
    spaced = Schema((Table("x", (Column("a", "INT"),), namespace="lab"),))
    assert spaced.table("lab.x") is spaced.table("x") is spaced.tables[0]


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("SERIAL", "INTEGER"), ("bigserial", "INTEGER"), ("BIGINT UNSIGNED", "INTEGER"), ("int(11)", "INTEGER"),
        ("HUGEINT", "INTEGER"), ("UBIGINT", "INTEGER"), ("int8", "INTEGER"), ("number(6)", "NUMERIC"),
        ("varchar(20)", "TEXT"), ("character varying(20)", "TEXT"), ("CHARACTER(1)", "TEXT"), ('"char"', "TEXT"),
        ("bpchar", "TEXT"), ("public.citext", "TEXT"), ("enum('a','b')", "TEXT"), ("", "TEXT"),
        ("NVARCHAR(160)", "TEXT"),
        ("double precision", "FLOAT"), ("REAL", "FLOAT"), ("float8", "FLOAT"), ("DECIMAL(18,3)", "NUMERIC"),
        ("bool", "BOOLEAN"), ("timestamp(6) without time zone", "TIMESTAMP"), ("TIMESTAMP WITH TIME ZONE", "TIMESTAMP"),
        ("datetime", "TIMESTAMP"), ("time with time zone", "TIME"), ("interval day to second", "INTERVAL"),
        ("BLOB", "BYTEA"), ("jsonb", "JSON"), ("uuid", "UUID"), ("integer[]", "INTEGER[]"),
        ("varchar(20)[][]", "TEXT[][]"),
        ("INTEGER[3]", "INTEGER[]"), ("STRUCT(a INTEGER, b VARCHAR(3))", "STRUCT"), ("tsvector", "TSVECTOR"),
        ("geometry(Point,4326)", "GEOMETRY"), ("public.hstore", "HSTORE"), ("MAP(VARCHAR, INTEGER)", "MAP"),
        ("DECIMAL(10,2)[]", "NUMERIC[]"), ("STRUCT(a INTEGER[])[]", "STRUCT[]"),
    ],
)  # fmt: skip
def test_types_become_a_small_closed_set(written: str, canonical: str) -> None:
    assert canonical_type(written) == canonical


def test_names_are_quoted_only_where_postgresql_needs_it() -> None:
    table = Table("order", (Column("Name", "TEXT"), Column("user", "INT"), Column("a b", "INT"), Column('q"q', "INT")))
    assert Schema((table,)).to_ddl() == (
        'CREATE TABLE "order" (\n    Name TEXT,\n    "user" INTEGER,\n    "a b" INTEGER,\n    "q""q" INTEGER\n);'
    )
    assert '"Name" TEXT' in Schema((table,), case_sensitive=True).to_ddl()


def test_a_file_that_quotes_capitals_follows_the_rule_of_postgresql() -> None:
    ddl = 'CREATE TABLE Clients ("Name" TEXT, City TEXT); CREATE TABLE "Visits" (c TEXT REFERENCES Clients("Name"));'
    schema = Schema.from_ddl(ddl)
    assert schema.case_sensitive
    assert schema.table("clients") == Table("clients", (Column("Name", "TEXT"), Column("city", "TEXT")))
    assert 'REFERENCES clients ("Name")' in schema.to_ddl()
    assert printed(schema.to_ddl()) == schema.to_ddl()


def test_quotes_that_a_name_needs_anyway_say_nothing_about_case() -> None:
    schema = Schema.from_ddl('CREATE TABLE Pets ("Hire-Date" DATE, PetID INT)')
    assert not schema.case_sensitive
    assert [column.name for column in schema.tables[0].columns] == ["Hire-Date", "PetID"]


def test_composite_keys_stand_on_lines_of_their_own() -> None:
    ddl = """CREATE TABLE plates (run INT, well CHAR(3), PRIMARY KEY (run, well));
    CREATE TABLE reads (id INT PRIMARY KEY, run INT, well CHAR(3), n INT CHECK (n IN (1, 2, -3)),
      FOREIGN KEY (run, well) REFERENCES plates);"""
    assert printed(ddl) == (
        "CREATE TABLE plates (\n    run INTEGER NOT NULL,\n    well TEXT NOT NULL,\n    PRIMARY KEY (run, well)\n);\n\n"
        "CREATE TABLE reads (\n    id INTEGER PRIMARY KEY,\n    run INTEGER,\n    well TEXT,\n"
        "    n INTEGER CHECK (n IN (1, 2, -3)),\n    FOREIGN KEY (run, well) REFERENCES plates (run, well)\n);"
    )


def test_a_primary_key_that_is_a_foreign_key_keeps_both() -> None:
    ddl = "CREATE TABLE a (id INT PRIMARY KEY); CREATE TABLE b (id INT PRIMARY KEY REFERENCES a)"
    assert "    id INTEGER PRIMARY KEY REFERENCES a (id)\n" in printed(ddl)


def test_a_second_key_of_a_column_is_printed_below() -> None:
    ddl = """CREATE TABLE a (id INT PRIMARY KEY); CREATE TABLE b (id INT PRIMARY KEY);
    CREATE TABLE c (x INT REFERENCES a (id), FOREIGN KEY (x) REFERENCES b (id), FOREIGN KEY (x) REFERENCES a (id));"""
    assert printed(ddl).endswith(
        "CREATE TABLE c (\n    x INTEGER REFERENCES a (id),\n    FOREIGN KEY (x) REFERENCES b (id)\n);"
    )


def test_comments_come_from_the_line_above_the_end_of_a_line_and_comment_on() -> None:
    ddl = """-- A file about samples.

-- Samples as
-- received.
CREATE TABLE samples (
    id INT PRIMARY KEY, -- the label
    note TEXT -- free   text
);
CREATE TABLE runs (id INT); -- not a comment on the next one
CREATE TABLE other (id INT);
COMMENT ON TABLE public.other IS 'It''s
    other';
COMMENT ON COLUMN other.id IS 'a number';
COMMENT ON COLUMN other.id IS NULL;"""
    assert printed(ddl) == (
        "-- It's other\nCREATE TABLE other (\n    id INTEGER -- a number\n);\n\n"
        "CREATE TABLE runs (\n    id INTEGER\n);\n\n"
        "-- Samples as received.\nCREATE TABLE samples (\n    id INTEGER PRIMARY KEY, -- the label\n"
        "    note TEXT -- free text\n);"
    )
    assert printed(printed(ddl)) == printed(ddl)


def test_a_long_comment_is_cut_to_one_line_of_160_characters() -> None:
    table = Table("t", (Column("a", "INT", comment="word " * 100),), comment="x" * 200)
    first, _, column, _ = Schema((table,)).to_ddl().splitlines()
    assert first == "-- " + "x" * 159 + "…"
    assert len(column.split(" -- ")[1]) <= 160


def test_a_comment_cannot_end_its_line() -> None:
    evil = "x\n); DROP TABLE t; --\r\u2028y\x00\x1b[31m"
    text = Schema((Table("t", (Column("a", "INT", comment=evil),), comment=evil),)).to_ddl()
    assert len(text.splitlines()) == 4
    assert all(line.isprintable() for line in text.split("\n"))


def test_a_list_of_more_than_fifty_values_is_not_printed_but_kept() -> None:
    ddl = f"CREATE TABLE t (a INT CHECK (a IN ({', '.join(map(str, range(51)))})))"
    assert "CHECK" not in printed(ddl)
    assert len(Schema.from_ddl(ddl).tables[0].columns[0].values) == 51


def test_views_are_printed_after_tables() -> None:
    view = Table("a_view", (Column("x", "INT", nullable=False),), is_view=True)
    table = Table("b", (Column("x", "INT"),))
    assert Schema((view, table)).to_ddl() == (
        "CREATE TABLE b (\n    x INTEGER\n);\n\nCREATE VIEW a_view (\n    x INTEGER\n);"
    )
    assert printed(Schema((view, table)).to_ddl()) == Schema((view, table)).to_ddl()


@pytest.mark.parametrize(
    ("condition", "lists"),
    [
        ("status IN ('a', 'b')", {"status": ("a", "b")}),
        (
            "((status)::text = ANY ((ARRAY['a'::character varying, 'b'::character varying])::text[]))",
            {"status": ("a", "b")},
        ),
        ("(status = ANY (ARRAY['it''s'::text, 'b'::text]))", {"status": ("it's", "b")}),
        ("((pass_fail = ANY (ARRAY['P'::bpchar, 'F'::bpchar])))", {"pass_fail": ("P", "F")}),
        ("((n = ANY (ARRAY[1, '-2'::integer, (3)::numeric, '4.5'::double precision])))", {"n": (1, -2, 3, 4.5)}),
        ("d = '2026-01-01'::date", {"d": ("2026-01-01",)}),
        ("(n = ANY (ARRAY[1, 2]))", {"n": (1, 2)}),
        ("n IS NULL OR n IN (1.5, -2)", {"n": (1.5, -2)}),
        ("((n IS NULL) OR (n IN (1.5, -2)))", {"n": (1.5, -2)}),
        ("a = 'x' OR a = 'y'", {"a": ("x", "y")}),
        ("(((a)::text = 'x'::text) OR ((a)::text = 'y'::text))", {"a": ("x", "y")}),
        ("a IN ('x') AND b IN (1, 2)", {"a": ("x",), "b": (1, 2)}),
        ("a IS NOT NULL AND a IN ('x', 'y')", {"a": ("x", "y")}),
        ('"a b" IN (\'x\')', {"a b": ("x",)}),
        ("a IN ('x') OR b IN ('y')", {}),
        ("NOT a IN ('x')", {}),
        ("a NOT IN ('x')", {}),
        ("lower(a) IN ('x')", {}),
        ("a IN (b, 'x')", {}),
        ("a > 0", {}),
        ("a <> 'x'", {}),
        ("a = b", {}),
        ("length(a) = 3", {}),
        ("a IN ('x') OR a > 3", {}),
        ("a + 1 IN (2)", {}),
        ("a != ALL (ARRAY['x'])", {}),
        ("", {}),
    ],
)  # fmt: skip
def test_value_lists_are_read_in_the_spelling_of_every_engine(condition: str, lists: dict[str, object]) -> None:
    assert value_lists(condition) == lists


def test_a_dump_of_postgresql_is_read() -> None:
    dump = r"""
--
-- PostgreSQL database dump
--
\restrict abc
SET statement_timeout = 0;
SELECT pg_catalog.set_config('search_path', '', false);
CREATE TYPE public.grade AS ENUM ('low', 'high');
CREATE DOMAIN public.flag AS character(1) CONSTRAINT ok CHECK (((VALUE)::text = ANY (ARRAY['Y'::text, 'N'::text])));
CREATE FUNCTION public.f() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN CREATE TABLE fake (x int); RETURN NEW; END;
$$;
ALTER FUNCTION public.f() OWNER TO me;

--
-- Name: probe; Type: TABLE; Schema: public; Owner: me
--

CREATE TABLE public.probe (
    id integer NOT NULL,
    grade public.grade DEFAULT 'low'::public.grade NOT NULL,
    ok public.flag,
    at timestamp(3) without time zone DEFAULT now() NOT NULL,
    price numeric(10,2) DEFAULT (1 + 2),
    tags text[] DEFAULT '{}'::text[],
    CONSTRAINT probe_price CHECK ((price > (0)::numeric))
);
ALTER TABLE public.probe OWNER TO me;
CREATE SEQUENCE public.probe_id_seq AS integer START WITH 1;
ALTER TABLE ONLY public.probe ALTER COLUMN id SET DEFAULT nextval('public.probe_id_seq'::regclass);
CREATE TABLE archive.probe (id integer, parent integer, total integer GENERATED ALWAYS AS (id * 2) STORED);
CREATE TABLE public.probe_2024 PARTITION OF public.probe FOR VALUES IN (1);
COPY public.probe (id, note) FROM stdin;
1	it's; CREATE TABLE fake (x int);
\.
ALTER TABLE ONLY public.probe ADD CONSTRAINT probe_pkey PRIMARY KEY (id);
ALTER TABLE ONLY archive.probe
    ADD CONSTRAINT fk FOREIGN KEY (parent) REFERENCES public.probe(id) ON DELETE CASCADE, ADD UNIQUE (id);
COMMENT ON TABLE public.probe IS 'What was probed';
COMMENT ON COLUMN archive.probe.id IS 'old';
CREATE VIEW public.v AS SELECT 1 AS x;
CREATE TRIGGER t BEFORE INSERT ON public.probe FOR EACH ROW EXECUTE FUNCTION public.f();
GRANT SELECT ON TABLE public.probe TO someone;
"""
    assert printed(dump) == (
        "-- What was probed\nCREATE TABLE probe (\n    id INTEGER PRIMARY KEY,\n"
        "    grade TEXT NOT NULL CHECK (grade IN ('low', 'high')),\n    ok TEXT CHECK (ok IN ('Y', 'N')),\n"
        "    at TIMESTAMP NOT NULL,\n    price NUMERIC,\n    tags TEXT[]\n);\n\n"
        "CREATE TABLE archive.probe (\n    id INTEGER, -- old\n    parent INTEGER REFERENCES probe (id),\n"
        "    total INTEGER\n);"
    )


def test_a_dump_of_mysql_is_read_leniently() -> None:
    dump = """
# a comment; with a quote '
/*!40101 SET NAMES utf8 */;
DROP TABLE IF EXISTS `rack`;
CREATE TABLE `rack` (
  `id` int(11) unsigned NOT NULL AUTO_INCREMENT,
  `kind` enum('cold','it\\'s warm') CHARACTER SET utf8 DEFAULT 'cold' COMMENT 'where, it stands',
  `room_id` int(11) DEFAULT NULL,
  `key` varchar(10) COLLATE utf8_bin,
  PRIMARY KEY (`id`),
  UNIQUE KEY `u` (`kind`),
  KEY `room` (`room_id`),
  FULLTEXT KEY `ft` (`kind`),
  CONSTRAINT `r` FOREIGN KEY (`room_id`) REFERENCES `room` (`id`) ON DELETE SET NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8 COMMENT='Racks';
LOCK TABLES `rack` WRITE;
INSERT INTO `rack` VALUES (1,'a\\'b;(',2);
UNLOCK TABLES;
"""
    assert printed(dump, "mysql") == (
        "-- Racks\nCREATE TABLE rack (\n    id INTEGER PRIMARY KEY,\n"
        "    kind TEXT CHECK (kind IN ('cold', 'it''s warm')), -- where, it stands\n"
        "    room_id INTEGER REFERENCES room (id),\n    key TEXT\n);"
    )


@pytest.mark.parametrize(
    ("ddl", "columns"),
    [
        ("CREATE TABLE t (a VARCHAR, b INTEGER)", "a TEXT, b INTEGER"),
        ("create table t(a int not null primary key,b text)", "a INTEGER PRIMARY KEY, b TEXT"),
        ("CREATE TABLE t (a INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL)", "a INTEGER PRIMARY KEY"),
        ("CREATE TABLE [t] ([a b] INT, `c` text, 'd' real)", '"a b" INTEGER, c TEXT, d FLOAT'),
        ("CREATE TABLE t (a, b)", "a TEXT, b TEXT"),
        ("CREATE TABLE t (a INT, b INT, primary key (b))", "a INTEGER, b INTEGER PRIMARY KEY"),
        ("CREATE TABLE t (a INT DEFAULT (1, 2), b TEXT DEFAULT 'x, y)')", "a INTEGER, b TEXT"),
        (
            "CREATE TABLE t (a INT CONSTRAINT x NOT NULL CONSTRAINT y CHECK (a IN (1)))",
            "a INTEGER NOT NULL CHECK (a IN (1))",
        ),
        (
            "CREATE TABLE t (key TEXT, index INT, unique_id INT, check_date DATE)",
            "key TEXT, index INTEGER, unique_id INTEGER, check_date DATE",
        ),
        ("CREATE TABLE t (key VARCHAR(10), comment TEXT, type TEXT)", "key TEXT, comment TEXT, type TEXT"),
        ("CREATE TABLE IF NOT EXISTS main.t (a INT) WITHOUT ROWID, STRICT", "a INTEGER"),
        ("CREATE UNLOGGED TABLE t (a INT) WITH (fillfactor=70)", "a INTEGER"),
        ("CREATE TABLE t (a INT,)", "a INTEGER"),
        ("CREATE TABLE t (a INT NULL, b INT UNIQUE)", "a INTEGER, b INTEGER"),
        (
            'CREATE TABLE t (a INT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, b TEXT COLLATE "C")',
            "a INTEGER PRIMARY KEY, b TEXT",
        ),
        ("CREATE TABLE t (a TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL)", "a TIMESTAMP NOT NULL"),
        ("CREATE TABLE t (\u00e9t\u00e9 INT, \u6e29\u5ea6 FLOAT)", '"\u00e9t\u00e9" INTEGER, "\u6e29\u5ea6" FLOAT'),
        ("CREATE TABLE t (a INT /* inner, ( comment */, b INT)", "a INTEGER, b INTEGER"),
        ("CREATE TABLE t (a INT, EXCLUDE USING gist (a WITH =), b INT)", "a INTEGER, b INTEGER"),
        ("CREATE TABLE t (a INT); CREATE TABLE t (A INT, b INT)", "a INTEGER, b INTEGER"),
        ("CREATE TABLE t (a INT) CREATE INDEX i ON t (a)", "a INTEGER"),
        ("CREATE TABLE p (a INT NOT NULL); CREATE TABLE t (b INT) INHERITS (p); DROP TABLE p", None),
        ("CREATE TABLE t (a INT)\r\n;\r\n", "a INTEGER"),
        ("\ufeffCREATE TABLE t (a INT)", "a INTEGER"),
    ],
)  # fmt: skip
def test_one_table_in_many_spellings(ddl: str, columns: str | None) -> None:
    if columns is not None:
        assert one_line(ddl) == f"CREATE TABLE t ( {columns} );"
    else:
        assert "CREATE TABLE t ( a INTEGER NOT NULL, b INTEGER );" in one_line(ddl)


def test_the_dump_of_a_real_lims_is_read(shared_data: object) -> None:
    text = shared_data("lims/nimblelims/schema_dump.sql").read_text()  # type: ignore[operator]
    schema = Schema.from_ddl(text)
    assert len(schema.tables) == 32
    assert sum(len(table.columns) for table in schema.tables) == 323
    assert sum(len(table.foreign_keys) for table in schema.tables) == 63
    assert all(table.primary_key for table in schema.tables)
    assert printed(schema.to_ddl()) == schema.to_ddl()


@pytest.mark.parametrize(
    ("ddl", "message"),
    [
        ("", "is empty"),
        ("  \n -- nothing\n", "no CREATE TABLE"),
        ("SELECT 1", "no CREATE TABLE"),
        ("just words, no schema", "no CREATE TABLE"),
        ("\n\nCREATE TABLE t (a INT", "Line 3: a parenthesis is opened"),
        ("CREATE TABLE t", "Line 1: table t has no list"),
        ("CREATE TABLE t ()", "Line 1: table t has no columns"),
        ("CREATE TABLE", "Line 1: the statement ends too early"),
        ("CREATE TABLE t (a INT);\nCREATE TABLE u (1a INT)", "Line 2: a name was expected, not '1'"),
        ("CREATE TABLE t (a INT DEFAULT 'x)", "Line 1: a quote"),
        ("CREATE TABLE t AS SELECT 1", "Line 1: table t has no list"),
        ("CREATE TABLE t (a INT CHECK (a IN (1)", "a parenthesis is opened"),
        ("\x00\x01\x02", "no CREATE TABLE"),
    ],
)
def test_a_schema_that_cannot_be_read_says_where_and_what_to_do(ddl: str, message: str) -> None:
    with pytest.raises(SchemaError) as caught:
        Schema.from_ddl(ddl)
    assert message in str(caught.value)
    assert caught.value.hint


def test_a_megabyte_of_brackets_is_answered_quickly() -> None:
    with pytest.raises(SchemaError):
        Schema.from_ddl("CREATE TABLE t (a INT CHECK " + "(" * 100_000)
    deep = "CREATE TABLE t (a INT CHECK (" + "(" * 5_000 + "a IN (1)" + ")" * 5_000 + "))"
    assert Schema.from_ddl(deep).tables[0].name == "t"


@pytest.mark.parametrize("value", ["-", "(", "]", ",", "IN", "OR", "NULL"])
def test_values_that_look_like_signs_are_read_as_values(value: str) -> None:
    ddl = f"CREATE TABLE t (\n    c TEXT CHECK (c IN ('{value}', 'a'))\n);"
    assert Schema.from_ddl(ddl).tables[0].columns[0].values == (value, "a")
    array = f"CREATE TABLE t (c TEXT CHECK (c = ANY (ARRAY['{value}'::text, 'a'::text])));"
    assert Schema.from_ddl(array).tables[0].columns[0].values == (value, "a")


NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=12)
TYPES = st.sampled_from(["INT", "TEXT", "FLOAT", "NUMERIC(3,1)", "DATE", "TIMESTAMP", "BOOLEAN", "INT[]", "hstore"])
VALUES = st.lists(st.text(max_size=8) | st.integers(), max_size=4, unique_by=str).map(tuple)
COLUMNS = st.builds(Column, NAMES, TYPES, st.booleans(), VALUES, st.text(max_size=30))


@st.composite
def schemas(draw: st.DrawFn) -> Schema:
    tables = []
    for name in draw(st.lists(NAMES.filter(lambda n: "." not in n), min_size=1, max_size=4, unique_by=str.lower)):
        columns = draw(st.lists(COLUMNS, min_size=1, max_size=5, unique_by=lambda c: c.name.lower()))
        names = [column.name for column in columns]
        primary = tuple(draw(st.lists(st.sampled_from(names), max_size=2, unique=True)))
        columns = [replace(c, nullable=c.nullable and c.name not in primary) for c in columns]
        keys = []
        if tables and draw(st.booleans()):
            target = draw(st.sampled_from(tables))
            keys.append(ForeignKey((names[0],), target.name, (target.columns[0].name,)))
        tables.append(Table(name, tuple(columns), primary, tuple(keys), draw(st.text(max_size=20))))
    return Schema(tuple(tables))


@settings(suppress_health_check=[HealthCheck.too_slow])  # a busy machine says nothing of the strategy
@given(schemas())
def test_any_schema_prints_reads_and_prints_the_same(schema: Schema) -> None:
    text = Schema.to_ddl(schema)
    assert Schema.from_ddl(text, "sqlite").to_ddl() == text
