"""The closed list of functions, wherever a call may stand, and the bounds of those that make data from nothing."""

from __future__ import annotations

import re
from typing import Any

from sqlglot import exp

from mnemosyne.guard.equivalents import OTHERWISE, way
from mnemosyne.guard.refused import Refused
from mnemosyne.guard.words import LIST_TABLE, OURS, word_set

CLASSES: frozenset[type[Any]] = frozenset(
    getattr(exp, name)
    for name in word_set(
        """
    Abs Ceil Floor Round Trunc Sign Sqrt Cbrt Pow Exp Ln Log Mod Greatest Least Coalesce Nullif Degrees
    Radians Sin Cos Tan Cot Asin Acos Atan Atan2 Sinh Cosh Tanh Pi WidthBucket Upper Lower Initcap Trim Length
    Substring Left Right Replace Reverse Repeat Pad StrPosition SplitPart Concat ConcatWs RegexpReplace
    RegexpLike RegexpILike RegexpCount RegexpExtract RegexpExtractAll RegexpInstr RegexpSubstr RegexpSplit
    RegexpFullMatch Translate Ascii Chr Unicode Contains StartsWith EndsWith Overlay ByteLength BitLength
    Space Levenshtein MD5 Substring SubstringIndex Soundex ToChar ToNumber TimeToStr StrToDate StrToTime
    UnixToTime TimeToUnix TsOrDsToDate TsOrDsToTimestamp TsOrDsAdd TsOrDsDiff TsOrDsToDateStr DateStrToDate
    TimeStrToTime TimeStrToDate DateTrunc TimestampTrunc DatetimeTrunc TimeTrunc Extract DateFromParts
    TimestampFromParts TimeFromParts MakeInterval DateAdd DateSub DateDiff DatetimeAdd DatetimeSub
    DatetimeDiff TimestampAdd TimestampSub TimestampDiff TimeAdd TimeSub TimeDiff AddMonths MonthsBetween
    LastDay DateBin Date Datetime Time Timestamp Year Month Day Quarter Week Hour Minute Second DayOfWeek
    DayOfWeekIso DayOfMonth DayOfYear WeekOfYear Dayname Monthname YearOfWeek YearOfWeekIso JustifyDays
    JustifyHours JustifyInterval CurrentDate CurrentTime CurrentTimestamp CurrentDatetime Localtime
    Localtimestamp Count CountIf Sum Avg Min Max GroupConcat ArrayAgg Stddev StddevPop StddevSamp Variance
    VariancePop Corr CovarPop CovarSamp RegrSlope RegrIntercept RegrR2 RegrCount RegrAvgx RegrAvgy RegrSxx
    RegrSxy RegrSyy Mode PercentileCont PercentileDisc Median Quantile ApproxQuantile ApproxDistinct
    LogicalAnd LogicalOr AnyValue ArgMax ArgMin Grouping GroupingId Skewness Kurtosis BitwiseAndAgg
    BitwiseOrAgg BitwiseXorAgg RowNumber Rank DenseRank PercentRank CumeDist Ntile Lag Lead First Last
    FirstValue LastValue NthValue ArraySize ArrayToString StringToArray Split ArrayContains ArrayPosition
    ArrayConcat ArrayAppend ArrayRemove ArrayPrepend ArrayDistinct ArraySort ArrayMax ArrayMin If Typeof IsNan
    IsInf JSONExtract JSONExtractScalar JSONBExtract JSONBExtractScalar GenerateSeries Explode ExplodingGenerateSeries
    Format
    """
    )
    if hasattr(exp, name)
)
"""Functions that sqlglot knows by a class of their own."""

NAMES: frozenset[str] = word_set(
    """
    age date_part date_bin isfinite make_date make_time make_timestamp justify_days justify_hours
    justify_interval btrim ltrim rtrim octet_length regexp_match regexp_matches regexp_instr regexp_like
    split_part strpos bool_and bool_or every cardinality div gcd lcm scale trim_scale log10 log2
    array_position array_positions array_remove array_lower array_upper array_ndims
    array_length string_to_array num_nulls num_nonnulls percentile_cont percentile_disc total julianday
    unixepoch strftime datetime date time timediff iif ifnull printf instr substr char unicode sign typeof
    quantile_cont quantile_disc mad kurtosis skewness entropy favg fsum product geomean date_diff datediff
    date_sub datesub date_add dayofmonth isodow weekday yearweek monthname dayname decade century era epoch
    strptime try_strptime list_sum list_avg list_min list_max list_count len round_even even to_days to_months
    to_years to_weeks to_hours to_minutes to_seconds count_star countif count_if regexp_extract
    regexp_full_match starts_with prefix suffix ends_with sum_no_overflow array_unique list_unique list_sort
    list_distinct list_contains array_to_string
    """
)
"""Functions that sqlglot does not know, by their lower-case name."""

MADE_UP_LIMIT = 10_000
"""Most characters that REPEAT or LPAD may make, in one call."""

SERIES_LIMIT = 1_000_000
"""Most rows of a `generate_series` whose ends are written as numbers."""


def inspect_call(node: exp.Expression, ours: bool = False) -> None:
    """Refuse a call of a function that is not listed, or one that would make too much data.

    `ours`: the text was printed by a translation, which may call what `databases` registers.
    """
    if isinstance(node, exp.Anonymous):
        name = node.this if isinstance(node.this, str) else ""
        if name.lower() not in NAMES and not (ours and name.lower() in OURS | {LIST_TABLE}):
            raise not_allowed(node.name)
        if name.lower() in ("printf", "format") and node.expressions:
            _bounded_format(node)
    elif type(node) not in CLASSES:
        raise not_allowed(_name_of(node))
    bound = _BOUNDS.get(type(node))
    if bound is not None:
        bound(node)


def not_allowed(name: str) -> Refused:
    """The refusal of a function, with the PostgreSQL way to say the same where there is a common one."""
    return Refused("function", f"the function {name} is not allowed", place=name, hint=way(name) or OTHERWISE)


def _name_of(node: exp.Expression) -> str:
    """The name of a function as people write it: the last one that the parser knows, JSON_OBJECT and not J_S_O_N."""
    names = node.sql_names() if isinstance(node, exp.Func) else [type(node).__name__]
    return re.sub(r"(?<=\b)j_s_o_n_?b?(?=_)", "json", names[0].lower())


def _known_unit(node: exp.Expression) -> None:
    """The parser takes the third of DATEDIFF(day, a, b) for the unit, but that dialect has the unit first."""
    unit = node.args.get("unit")
    if unit is not None and unit.name.upper().rstrip("S") not in _UNITS:
        raise Refused("function", "DATEDIFF takes two dates and no unit", place="DATEDIFF", hint=way("datediff"))


_UNITS = word_set("MICROSECOND MILLISECOND SECOND MINUTE HOUR DAY WEEK MONTH QUARTER YEAR DECADE CENTURY")


def _bounded_repeat(node: exp.Expression) -> None:
    times = node.args.get("times") or node.args.get("expression")
    if not _is_small_number(times):
        raise Refused(
            "too-much", f"a text may be repeated a written number of times, at most {MADE_UP_LIMIT:,}", place="repeat"
        )


def _bounded_format(node: exp.Expression) -> None:
    """A template of PRINTF may hold no width of four digits, and none that a value decides."""
    template = node.expressions[0] if isinstance(node, exp.Anonymous) else node.this
    if not isinstance(template, exp.Literal) or not template.is_string or re.search(r"\d{4}|[*$]", template.this):
        hint = f"Of a date: {way('format')}"
        raise Refused("too-much", "a template must be written, with widths below 1,000", place="printf", hint=hint)


def _bounded_series(node: exp.Expression) -> None:
    start, end, step = (_whole_number(node.args.get(name)) for name in ("start", "end", "step"))
    for name in ("start", "end"):
        _refuse_growth(node.args.get(name))
    if node.args.get("step") is not None and not isinstance(node.args["step"], exp.Interval) and step is None:
        _refuse_step(node.args["step"])
    if step == 0:
        raise Refused("too-much", "a series with step 0 has no end", place="generate_series")
    if start is not None and end is not None and abs(end - start) / abs(step or 1) > SERIES_LIMIT:
        raise Refused("too-much", f"a series may have at most {SERIES_LIMIT:,} rows", place="generate_series")
    for value in (start, end):
        if value is not None and abs(value) > 10**12:
            raise Refused("too-much", "a series may not start or end beyond 10^12", place="generate_series")


def _refuse_growth(end: exp.Expression | None) -> None:
    """The end of a series may be a value, a date or a sum of such, but nothing that multiplies."""
    if end is None:
        return
    for part in end.walk():
        if isinstance(part, (exp.Mul, exp.Pow, exp.Exp, exp.BitwiseLeftShift)):
            raise Refused("too-much", "the end of a series may not be multiplied", place="generate_series")


def _refuse_step(step: exp.Expression) -> None:
    """A step that is not a number must be an interval of at least a second, as text or as INTERVAL."""
    inner = step.this if isinstance(step, exp.Cast) else step
    if isinstance(inner, exp.Literal) and re.fullmatch(r"-?\d{1,4} ?[a-z]+", inner.this.lower()):
        return
    raise Refused("too-much", "the step of a series must be a written number or interval", place="generate_series")


def _whole_number(node: exp.Expression | None) -> int | None:
    sign = 1
    while isinstance(node, (exp.Neg, exp.Paren)):
        sign = -sign if isinstance(node, exp.Neg) else sign
        node = node.this
    if isinstance(node, exp.Literal) and not node.is_string and node.this.isdigit():
        return sign * int(node.this)
    return None


def _is_small_number(node: exp.Expression | None) -> bool:
    number = _whole_number(node)
    return number is not None and abs(number) <= MADE_UP_LIMIT


_BOUNDS: dict[type[Any], Any] = {
    exp.DateDiff: _known_unit,
    exp.TimestampDiff: _known_unit,
    exp.DatetimeDiff: _known_unit,
    exp.Repeat: _bounded_repeat,
    exp.Space: lambda node: _bounded_repeat(exp.Repeat(this=node.this, times=node.this)),
    exp.Pad: _bounded_repeat,
    exp.Format: _bounded_format,
    exp.GenerateSeries: _bounded_series,
    exp.ExplodingGenerateSeries: _bounded_series,
}
