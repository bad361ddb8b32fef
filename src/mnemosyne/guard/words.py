"""Words of SQL: what needs quotes as a name, and what a printed query may hold outside quotes."""

from __future__ import annotations

import re


def word_set(text: str) -> frozenset[str]:
    """The words of a text, for lists that are read more often than changed."""
    return frozenset(text.split())


PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
"""A name that needs no quotes where capitals do not count."""

PLAIN_LOWER = re.compile(r"[a-z_][a-z0-9_]*")
"""A name that needs no quotes in PostgreSQL and keeps its spelling."""

RESERVED = word_set(
    """
    add all alter analyse analyze and anti any array as asc asof asymmetric at authorization autoincrement
    between binary both by case cast check collate collation column columns commit concurrently constraint
    create cross current_catalog current_date current_role current_schema current_time current_timestamp
    current_user default deferrable delete desc describe distinct do drop else end escape except exists false
    fetch for foreign freeze from full generated glob grant group having ilike in index initially inner insert
    intersect into is isnull join lambda lateral leading left like limit localtime localtimestamp map natural
    not nothing notnull null offset on only or order outer overlaps pivot pivot_longer pivot_wider placing
    positional primary qualify raise references returning right select semi session_user set show similar some
    struct summarize symmetric system_user table tablesample then to trailing transaction true try_cast tuple
    union unique unpack unpivot update user using values variadic verbose when where window with interval row
    replace if
    """
)
"""Keywords of PostgreSQL 18, DuckDB 2.0 and SQLite 3 that cannot be a name of a column or table without quotes."""

BEFORE_BRACKET = word_set(
    """
    all and any array as between by case cast cube distinct else end escape except exists filter from group grouping
    having ilike in intersect is join lateral like limit not offset on or over over recursive rollup row select sets
    similar some then to union using values when where with within materialized full left right inner outer cross
    decimal numeric varchar char character time timestamp timestamptz bpchar nchar bit varbinary binary float
    interval order partition fetch qualify glob try_cast extract position substring overlay trim
    """
)
"""Keywords and types that may stand in front of a bracket without being a call."""

PRINTED = BEFORE_BRACKET | word_set(
    """
    anti asc asof at bigint blob bool boolean both c collate current current_date current_time current_timestamp date
    datetime default desc double escape exclude false first following for global groups hugeint ignore int int4 int8
    integer json jsonb last leading localtime localtimestamp long materialized natural next no nocase null nulls only
    others overlaps placing posix preceding precision range real respect rows rtrim semi set smallint symmetric text
    ties timetz timestamp_s tinyint trailing true ubigint ucs_basic uinteger unbounded usmallint utinyint uuid varying
    window zone list without int128 uint variance ordinality
    microsecond millisecond second minute hour day week month quarter year decade century millennium dow doy epoch
    isodow isoyear microseconds milliseconds seconds minutes hours days weeks months quarters years decades
    centuries dayofweek dayofyear weekday yearweek
    """
)
"""Every keyword, type and unit that a printed query may hold."""

_EVERYWHERE = word_set(
    """
    abs ceil ceiling floor round sign sqrt power exp ln log log10 log2 mod coalesce nullif degrees radians sin cos tan
    cot asin acos atan atan2 sinh cosh tanh pi trunc upper lower trim ltrim rtrim length substring substr replace
    concat concat_ws count sum avg min max row_number rank dense_rank percent_rank cume_dist ntile lag lead
    first_value last_value nth_value cast exists grouping
    """
)

OURS = word_set(
    """
    mn_age mn_array mn_array_agg mn_array_has mn_array_item mn_array_length mn_array_text mn_ascii mn_between mn_bool
    mn_cbrt mn_chr mn_concat_ws mn_corr mn_covar_pop mn_covar_samp mn_date_add mn_epoch mn_fixed mn_greatest mn_ilike
    mn_initcap mn_interval mn_interval_avg mn_interval_max mn_interval_min mn_interval_part mn_interval_percentile
    mn_interval_plus mn_interval_seconds mn_interval_sum mn_interval_text mn_interval_times mn_justify_days
    mn_justify_hours mn_justify_interval mn_least mn_left mn_like mn_lpad mn_make_date mn_md5 mn_mod mn_mode
    mn_number_text mn_overlay mn_percentile_cont mn_percentile_disc mn_regexp mn_regexp_count mn_regexp_match
    mn_regexp_replace mn_regexp_substr mn_regr_intercept mn_regr_r2 mn_regr_slope mn_repeat mn_reverse mn_right
    mn_round_even mn_row mn_rpad mn_seconds_interval mn_series mn_similar mn_split_part mn_starts_with mn_stddev_pop
    mn_stddev_samp mn_string_agg mn_substr mn_text_array mn_timestamp_add mn_to_char mn_to_char_number mn_to_date
    mn_translate mn_trunc mn_trunc_years mn_var_pop mn_var_samp mn_width_bucket
    """
)
"""Functions that `databases` registers in SQLite; only a translation may call them."""

LIST_TABLE = "json_each"
"""The table that SQLite makes of a list; only a translation may read it."""

CALLS: dict[str, frozenset[str]] = {
    "postgres": _EVERYWHERE
    | word_set(
        """
        cbrt greatest least width_bucket div gcd lcm scale trim_scale factorial initcap btrim left right reverse
        repeat lpad rpad position strpos split_part regexp_replace regexp_count regexp_substr regexp_match
        regexp_matches regexp_instr regexp_like regexp_split_to_array translate ascii chr md5 char_length octet_length
        bit_length overlay starts_with to_char to_date to_timestamp to_number date_trunc date_part date_bin extract
        age make_date make_time make_timestamp make_interval justify_days justify_hours justify_interval isfinite now
        string_agg array_agg stddev stddev_pop stddev_samp variance var_pop var_samp corr covar_pop covar_samp
        regr_slope regr_intercept regr_r2 regr_count regr_avgx regr_avgy regr_sxx regr_sxy regr_syy mode
        percentile_cont percentile_disc bool_and bool_or every any_value bit_and bit_or bit_xor
        array_length array_to_string string_to_array array_position array_positions array_remove array_append
        array_prepend array_cat array_lower array_upper array_ndims cardinality num_nulls num_nonnulls
        generate_series unnest array numeric format
        """
    ),
    "sqlite": _EVERYWHERE
    | OURS
    | {LIST_TABLE}
    | word_set(
        """
        ifnull iif instr char unicode printf hex quote typeof total group_concat string_agg julianday unixepoch
        strftime datetime date time timediff likelihood concat octet_length
        """
    ),
    "duckdb": _EVERYWHERE
    | word_set(
        """
        cbrt greatest least gcd lcm factorial even round_even left right reverse repeat lpad rpad strpos position
        instr split_part str_split string_split regexp_replace regexp_matches regexp_extract regexp_extract_all
        regexp_full_match regexp_split_to_array regexp_count translate ascii chr unicode strlen bit_length
        octet_length md5 mn_initcap contains starts_with prefix suffix ends_with levenshtein
        date_trunc date_part datepart extract age make_date make_time make_timestamp date_diff datediff date_sub
        datesub date_add last_day strftime strptime try_strptime epoch epoch_ms epoch_us to_timestamp now
        year month day quarter week hour minute second dayofweek dayofmonth dayofyear weekofyear isodow weekday
        yearweek dayname monthname decade century era isfinite isnan isinf century isoyear
        to_days to_months to_years to_weeks to_hours to_minutes to_seconds time_bucket
        string_agg listagg group_concat array_agg list stddev stddev_pop stddev_samp variance var_pop var_samp corr
        covar_pop covar_samp regr_slope regr_intercept regr_r2 regr_count regr_avgx regr_avgy regr_sxx regr_sxy
        regr_syy mode median quantile quantile_cont quantile_disc approx_quantile approx_count_distinct bool_and
        bool_or any_value first last arg_max arg_min max_by min_by bit_and bit_or bit_xor count_if countif mad kurtosis
        skewness entropy favg fsum product geomean list_sum list_avg list_min list_max list_count len array_length
        array_to_string string_to_array list_contains array_contains list_position array_position list_unique
        list_sort list_distinct list_value array_concat list_concat list_append list_prepend
        generate_series range unnest typeof format printf
        """
    ),
}
"""Functions that a printed query may call, by the name that the engine knows."""
