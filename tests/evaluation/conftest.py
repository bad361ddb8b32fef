"""A small shop in SQLite, in two populations: a query that is right by luck on one is wrong on the other."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from mnemosyne.datasets import Example
from mnemosyne.evaluation.benches import Bench
from mnemosyne.schema import Schema

DDL = """
CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT, city TEXT);
CREATE TABLE orders (
    id INTEGER PRIMARY KEY, customer_id INTEGER REFERENCES customers(id), total REAL, ordered TEXT, note TEXT
);
"""

FIRST = """
INSERT INTO customers VALUES (1, 'Ann', 'Riga'), (2, 'Bob', 'Riga'), (3, 'Cid', 'Oslo'), (4, 'Dora', 'Oslo');
INSERT INTO orders VALUES
    (1, 1, 10.0, '2026-01-05', NULL), (2, 1, 20.0, '2026-02-05', 'late'), (3, 2, 20.0, '2026-03-05', 'late'),
    (4, 3, 5.5, '2026-06-01', 'gift');
"""

SECOND = """
INSERT INTO customers VALUES (1, 'Ann', 'Oslo'), (2, 'Eve', 'Riga'), (3, 'Bob', 'Bern'), (4, 'Fay', 'Riga');
INSERT INTO orders VALUES
    (1, 1, 7.0, '2026-05-05', 'late'), (2, 2, 7.0, '2026-06-05', NULL), (3, 2, 30.0, '2026-06-10', 'gift'),
    (4, 2, 1.0, '2026-06-11', NULL), (5, 3, 2.0, '2026-06-12', 'late');
"""


@pytest.fixture(scope="session")
def shops(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """URLs of the two populations."""
    folder = tmp_path_factory.mktemp("shops")
    return _shop(folder / "first.sqlite", FIRST), _shop(folder / "second.sqlite", SECOND)


def _shop(path: Path, rows: str) -> str:
    connection = sqlite3.connect(path)
    connection.executescript(DDL + rows)
    connection.close()
    return f"sqlite:///{path}"


@pytest.fixture(scope="session")
def shop_schema() -> Schema:
    """The schema that the shops have."""
    return Schema.from_ddl(DDL)


EXAMPLES = (
    Example("shop-1", "How many customers are there?", "SELECT COUNT(*) FROM customers", "shop", tier="simple"),
    Example("shop-2", "Names of customers in Riga.", "SELECT name FROM customers WHERE city = 'Riga'", "shop",
            tier="simple", tags=("table:customers",)),
    Example("shop-3", "Orders by total, largest first: id and total.",
            "SELECT id, total FROM orders ORDER BY total DESC", "shop", tier="moderate", tags=("ordered",)),
    Example("shop-4", "Total of the orders per city.",
            "SELECT c.city, SUM(o.total) FROM customers c JOIN orders o ON o.customer_id = c.id GROUP BY c.city",
            "shop", tier="moderate"),
    Example("shop-5", "Customers without an order.",
            "SELECT name FROM customers c WHERE NOT EXISTS (SELECT 1 FROM orders o WHERE o.customer_id = c.id)",
            "shop", tier="complex"),
)  # fmt: skip


@pytest.fixture
def shop_bench(shops: tuple[str, str], shop_schema: Schema) -> Bench:
    """Five questions about the shop."""
    return Bench("shop", EXAMPLES, {"shop": shop_schema}, {"shop": shops}, engine="sqlite")
