"""Dates, timestamps and intervals of PostgreSQL for SQLite: the functions behind `guard.sqlite_dates`.

A date is `2026-06-15`, a timestamp `2026-06-15 10:00:00`, an interval `months days microseconds`. Pure.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal

from mnemosyne.guard import intervals, templates
from mnemosyne.guard.intervals import Parts


def moment(text: object) -> datetime:
    """The point in time that a text says. Raises ValueError."""
    written = str(text).strip().replace("T", " ").removesuffix("Z")
    return datetime.fromisoformat(re.sub(r"[+-]00(:?00)?$", "", written) if " " in written else written)


def _text(at: datetime) -> str:
    text = at.strftime("%Y-%m-%d %H:%M:%S") if at.year >= 1000 else at.isoformat(sep=" ")[:19]
    return text + f".{at.microsecond:06d}".rstrip("0") if at.microsecond else text


def parts_of(text: object) -> Parts:
    """An interval as it is carried, or as people write it. Raises ValueError."""
    written = str(text)
    if re.fullmatch(r"-?\d+ -?\d+ -?\d+", written):
        return intervals.decode(written)
    parts = intervals.parse(written)
    if parts is None:
        raise ValueError(f"{written!r} is no interval")
    return parts


def add_months(day: datetime, months: int) -> datetime:
    """The same day of another month, or that month's last day."""
    month = day.year * 12 + day.month - 1 + months
    year, index = divmod(month, 12)
    return day.replace(year=year, month=index + 1, day=min(day.day, calendar.monthrange(year, index + 1)[1]))


def _date_add(day: object, months: int, days: int) -> str:
    return (add_months(moment(day), int(months)) + timedelta(days=int(days))).strftime("%Y-%m-%d")


def _timestamp_add(at: object, step: str) -> str:
    months, days, micros = parts_of(step)
    return _text(add_months(moment(at), months) + timedelta(days=days, microseconds=micros))


def _between(later: object, earlier: object) -> str:
    gap = moment(later) - moment(earlier)
    micros = gap // timedelta(microseconds=1)
    days = int(micros / (86400 * intervals.SECOND))  # towards zero, as PostgreSQL
    return intervals.encode((0, days, micros - days * 86400 * intervals.SECOND))


def _age(later: object, earlier: object) -> str:
    a, b = moment(later), moment(earlier)
    sign = 1
    if a < b:
        a, b, sign = b, a, -1
    months = (a.year - b.year) * 12 + a.month - b.month
    days = a.day - b.day
    micros = (a - a.replace(hour=0, minute=0, second=0, microsecond=0)) // timedelta(microseconds=1)
    micros -= (b - b.replace(hour=0, minute=0, second=0, microsecond=0)) // timedelta(microseconds=1)
    if micros < 0:
        micros, days = micros + 86400 * intervals.SECOND, days - 1
    if days < 0:
        # PostgreSQL borrows the length of the earlier month
        days, months = days + calendar.monthrange(b.year, b.month)[1], months - 1
    return intervals.encode((sign * months, sign * days, sign * micros))


def _plus(a: object, b: object) -> str:
    first, second = parts_of(a), parts_of(b)
    return intervals.encode((first[0] + second[0], first[1] + second[1], first[2] + second[2]))


def _times(step: object, count: float) -> str:
    months, days, micros = parts_of(step)
    if isinstance(count, int):
        return intervals.encode((months * count, days * count, micros * count))
    return intervals.encode(intervals.times((months, days, micros), count))


def _seconds_interval(seconds: float) -> str:
    """Seconds as days and a time: what SUM and AVG of date differences look like."""
    micros = round(seconds * intervals.SECOND)
    days = int(micros / (86400 * intervals.SECOND))
    return intervals.encode((0, days, micros - days * 86400 * intervals.SECOND))


def interval_text(step: object) -> str:
    """`1 year 2 months 3 days 04:05:06`, as `cells.interval_text` has it."""
    months, days, micros = parts_of(step)
    years, months = int(months / 12), months - int(months / 12) * 12
    words = [
        f"{count} {unit}" + ("" if abs(count) == 1 else "s")
        for count, unit in ((years, "year"), (months, "month"), (days, "day"))
        if count
    ]
    if micros:
        rest, fraction = divmod(abs(micros), intervals.SECOND)
        clock = f"{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}"
        clock += f".{fraction:06d}".rstrip("0") if fraction else ""
        words.append(("-" if micros < 0 else "") + clock)
    return " ".join(words) or "00:00:00"


def _interval_part(unit: str, step: object) -> float:
    months, days, micros = parts_of(step)
    seconds = abs(micros) / intervals.SECOND
    sign = -1 if micros < 0 else 1
    years = int(months / 12)
    values: dict[str, float] = {
        "epoch": intervals.epoch((months, days, micros)),
        "year": years,
        "month": months - years * 12,
        "quarter": (months - years * 12) // 3 + 1,
        "day": days,
        "hour": sign * int(seconds // 3600),
        "minute": sign * int(seconds // 60 % 60),
        "second": sign * round(seconds % 60, 6),
    }
    if unit not in values:
        raise ValueError(f"an interval has no {unit}")
    return values[unit]


def _justify_hours(parts: Parts) -> Parts:
    days = int(parts[2] / (86400 * intervals.SECOND))
    return parts[0], parts[1] + days, parts[2] - days * 86400 * intervals.SECOND


def _justify_days(parts: Parts) -> Parts:
    months = int(parts[1] / 30)
    return parts[0] + months, parts[1] - months * 30, parts[2]


def _epoch(at: object) -> float:
    gap = moment(at) - datetime(1970, 1, 1)
    seconds = gap / timedelta(seconds=1)
    return int(seconds) if seconds.is_integer() else seconds


def _trunc_years(at: object, years: int) -> str:
    year = moment(at).year
    first = year // 10 * 10 if years == 10 else (year - 1) // years * years + 1
    return f"{first:04d}-01-01"


def _make_date(year: int, month: int, day: int) -> str:
    return date(int(year), int(month), int(day)).isoformat()


# TO_CHAR and TO_DATE ----------------------------------------------------------------------------------------------

_MONTHS = list(calendar.month_name)
_DAYS = list(calendar.day_name)


def _cased(name: str, like: str) -> str:
    return name.upper() if like.isupper() else name.lower() if like.islower() else name


def _field(at: datetime, field: templates.Field) -> str:
    name = field.name
    low = name.lower()
    if low in ("month", "day"):
        word = _cased(_MONTHS[at.month] if low == "month" else _DAYS[at.weekday()], name)
        return word.ljust(9) if field.fill else word
    if low == "mon":
        return _cased(_MONTHS[at.month][:3], name)
    if low == "dy":
        return _cased(_DAYS[at.weekday()][:3], name)
    if low in ("am", "pm"):
        return _cased("AM" if at.hour < 12 else "PM", name)
    year, week, weekday = at.isocalendar()
    day_of_year = at.timetuple().tm_yday
    number, width = {
        "YYYY": (at.year, 4),
        "YYY": (at.year % 1000, 3),
        "YY": (at.year % 100, 2),
        "Y": (at.year % 10, 1),
        "IYYY": (year, 4),
        "MM": (at.month, 2),
        "DD": (at.day, 2),
        "DDD": (day_of_year, 3),
        "D": (at.isoweekday() % 7 + 1, 1),
        "ID": (weekday, 1),
        "HH24": (at.hour, 2),
        "HH12": ((at.hour - 1) % 12 + 1, 2),
        "HH": ((at.hour - 1) % 12 + 1, 2),
        "MI": (at.minute, 2),
        "SS": (at.second, 2),
        "MS": (at.microsecond // 1000, 3),
        "US": (at.microsecond, 6),
        "IW": (week, 2),
        "WW": ((day_of_year - 1) // 7 + 1, 2),
        "W": ((at.day - 1) // 7 + 1, 1),
        "Q": ((at.month + 2) // 3, 1),
        "CC": ((at.year + 99) // 100, 2),
    }[name]
    text = str(number).zfill(width) if field.fill else str(number)
    return text + (_cased(_ending(number), field.ordinal) if field.ordinal else "")


def _ending(number: int) -> str:
    if number % 100 in (11, 12, 13):
        return "th"
    return {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")


def _to_char(at: object, template: str) -> str:
    point = moment(at)
    return "".join(_field(point, field) if field.name else field.text for field in templates.fields(template))


def _to_char_number(value: float, template: str, binary: int = 0) -> str:
    """`binary`: a float, which PostgreSQL rounds as the machine does; others are rounded in decimals."""
    form = templates.number(template)
    if form is None:
        raise ValueError(f"the template {template!r} is not known")
    exact = Decimal(value) if binary or isinstance(value, int) else Decimal(f"{value:.15g}")
    rounded = abs(exact.quantize(Decimal(1).scaleb(-form.decimals), ROUND_HALF_EVEN if binary else ROUND_HALF_UP))
    whole, _, after = f"{rounded:f}".partition(".")
    whole = whole.lstrip("0")
    if len(whole) > form.whole:
        return _overflow(form)
    whole = whole.zfill(max(form.zeros, 0))
    if not whole and not form.point:
        whole = "0"
    if form.grouped and whole:
        whole = re.sub(r"(?<=\d)(?=(?:\d{3})+$)", ",", whole)
    if not form.fill:
        kept = after.rstrip("0")
        after = kept.ljust(form.decimal_zeros, "0")
    text = whole + ("." + after if form.point else "")
    if exact < 0 and (rounded or binary):
        text = "-" + text
    return (text if not form.fill else text.rjust(form.width + 1)) + form.suffix


def _overflow(form: templates.NumberTemplate) -> str:
    text = "#" * form.whole + ("." + "#" * form.decimals if form.point else "")
    return (text if not form.fill else " " + text) + form.suffix


_READ = {"YYYY": r"(?P<Y>\d{4})", "YY": r"(?P<y>\d\d)", "MM": r"(?P<m>\d{1,2})", "DD": r"(?P<d>\d{1,2})"}


def _to_date(text: str, template: str) -> str:
    pattern = ""
    for field in templates.fields(template):
        if not field.name:
            pattern += re.escape(field.text)
        elif field.name.lower() in ("mon", "month"):
            pattern += r"(?P<b>[A-Za-z]+)\s*"
        elif field.name in _READ:
            pattern += _READ[field.name]
        else:
            raise ValueError(f"TO_DATE does not know {field.name} here")
    found = re.match(pattern, text.strip())
    if found is None:
        raise ValueError(f"{text!r} is not written as {template!r}")
    got = found.groupdict()
    year = int(got["Y"]) if got.get("Y") else 1
    if got.get("y"):
        year = int(got["y"]) + (2000 if int(got["y"]) < 70 else 1900)
    month = int(got.get("m") or 1)
    if got.get("b"):
        names = [name[:3].lower() for name in _MONTHS]
        month = names.index(got["b"][:3].lower())
    return date(year, month, int(got.get("d") or 1)).isoformat()


SCALARS: dict[str, Callable[..., object]] = {
    "date_add": _date_add,
    "timestamp_add": _timestamp_add,
    "between": _between,
    "age": _age,
    "interval": lambda text: intervals.encode(parts_of(text)),
    "interval_plus": _plus,
    "interval_times": _times,
    "interval_seconds": lambda step: intervals.seconds(parts_of(step)),
    "seconds_interval": _seconds_interval,
    "interval_text": interval_text,
    "interval_part": _interval_part,
    "justify_hours": lambda step: intervals.encode(_justify_hours(parts_of(step))),
    "justify_days": lambda step: intervals.encode(_justify_days(parts_of(step))),
    "justify_interval": lambda step: intervals.encode(_justify_days(_justify_hours(parts_of(step)))),
    "epoch": _epoch,
    "trunc_years": _trunc_years,
    "make_date": _make_date,
    "to_char": _to_char,
    "to_char_number": _to_char_number,
    "to_date": _to_date,
}
"""NULL in, NULL out."""
