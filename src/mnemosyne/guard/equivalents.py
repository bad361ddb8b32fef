"""The PostgreSQL way to say what a function of another database says: hints of refusals, nothing is rewritten here.

Models fall into the dialect that they saw most. A refusal that names the way repairs more than one that only refuses.
"""

from __future__ import annotations

OTHERWISE = "Write it with ordinary SQL functions, or leave it out."
"""For a function without a common equal."""

_NOW = "CURRENT_DATE is today, CURRENT_TIMESTAMP is now."
_DAYS = "Days between two dates are later - earlier; other units: EXTRACT(EPOCH FROM later - earlier) of timestamps."
_LATER = "Write x + INTERVAL '7 days'."
_EARLIER = "Write x - INTERVAL '7 days'."
_TO_CHAR = "Write TO_CHAR(x, 'YYYY-MM'), or a part as a number: EXTRACT(YEAR FROM x)."
_DAY_OF_WEEK = (
    "Write EXTRACT(DOW FROM x): 0 is Sunday, 6 is Saturday; EXTRACT(ISODOW FROM x): 1 is Monday, 7 is Sunday."
)
_COALESCE = "Write COALESCE(x, y)."
_CASE = "Write CASE WHEN condition THEN x ELSE y END."
_TO_DATE = "Write a day as DATE '2026-01-31', a text that holds one as CAST(x AS DATE)."
_CAST = "Write CAST(x AS INTEGER), NUMERIC, TEXT, DATE or TIMESTAMP."
_POSITION = "Write POSITION('a' IN x)."
_PERCENTILE = "Write PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY x)."
_FILTER = "Write COUNT(*) FILTER (WHERE condition)."
_CHANCE = "Leave it out: an answer must not depend on chance."

_GROUPS: dict[str, str] = {
    "curdate today getdate getutcdate sysdate sysdatetime now current_datetime utc_date utc_timestamp curtime": _NOW,
    "datediff date_diff datetime_diff timestampdiff timestamp_diff days_between datesub julianday to_days days": _DAYS,
    "date_add adddate dateadd datetime_add timestampadd timestamp_add": _LATER,
    "date_sub subdate datetime_sub timestamp_sub": _EARLIER,
    "add_months addmonths": "Write x + INTERVAL '1 month'.",
    "months_between monthsbetween": "Write EXTRACT(YEAR FROM AGE(b, a)) * 12 + EXTRACT(MONTH FROM AGE(b, a)).",
    "strftime date_format format_date formatdate format datename monthname dayname time_to_str": _TO_CHAR,
    "dayofweek day_of_week weekday isodow dayofweekiso": _DAY_OF_WEEK,
    "datepart part extract_year": "Write EXTRACT(YEAR FROM x).",
    "last_day eomonth": "Write DATE_TRUNC('month', x) + INTERVAL '1 month' - INTERVAL '1 day'.",
    "datetrunc trunc_date startofmonth": "Write DATE_TRUNC('month', x).",
    "makedate datefromparts date_from_parts": "Write MAKE_DATE(year, month, day).",
    "unix_timestamp unixepoch time_to_unix": "Write EXTRACT(EPOCH FROM x).",
    "str_to_date strptime parse_date try_strptime to_datetime": _TO_DATE,
    "datetime": "Write CAST(x AS TIMESTAMP), and moments before now as CURRENT_TIMESTAMP - INTERVAL '7 days'.",
    "date": "Write CAST(x AS DATE), and days before today as CURRENT_DATE - INTERVAL '7 days'.",
    "ifnull nvl isnull zeroifnull": _COALESCE,
    "if iif nvl2 decode field choose": _CASE,
    "convert try_convert safe_cast to_number tonumber val": _CAST,
    "isnumeric isdate": "Write a pattern: x ~ '^[0-9.]+$'.",
    "listagg group_concat string_agg_distinct": "Write STRING_AGG(x, ', ').",
    "count_if countif sumif countifs sumifs": _FILTER,
    "percentile percentile_approx approx_percentile quantile quantile_cont median approx_quantile": _PERCENTILE,
    "len datalength": "Write LENGTH(x).",
    "mid": "Write SUBSTRING(x FROM 1 FOR 3).",
    "charindex locate instr": _POSITION,
    "ucase": "Write UPPER(x).",
    "lcase": "Write LOWER(x).",
    "split split_string strtok": "Write SPLIT_PART(x, ',', 1).",
    "regexp regexp_contains rlike": "Write x ~ 'pattern'.",
    "stdev": "Write STDDEV(x).",
    "var varp": "Write VARIANCE(x).",
    "safe_divide": "Write a / NULLIF(b, 0).",
    "top": "Write LIMIT 5 at the end of the query.",
    "rand random newid uuid": _CHANCE,
}
_WAYS = {name: way for names, way in _GROUPS.items() for name in names.split()}
_PARTS = {
    "year": "YEAR", "month": "MONTH", "day": "DAY", "dayofmonth": "DAY", "day_of_month": "DAY", "hour": "HOUR",
    "minute": "MINUTE", "second": "SECOND", "quarter": "QUARTER", "week": "WEEK", "weekofyear": "WEEK",
    "week_of_year": "WEEK", "dayofyear": "DOY", "day_of_year": "DOY",
}  # fmt: skip
"""Functions that are a part of a date."""


def way(name: str) -> str:
    """How PostgreSQL says what the function `name` of another database says; empty when there is no common way."""
    low = name.lower()
    return f"Write EXTRACT({_PARTS[low]} FROM x)." if low in _PARTS else _WAYS.get(low, "")
