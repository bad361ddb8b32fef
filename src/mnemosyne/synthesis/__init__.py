"""Verified question-SQL pairs for any schema: a lexicon says what things are called, patterns compose query trees.

Nothing here knows a laboratory; what a schema's tables, columns and values are called is in its lexicon.
"""
