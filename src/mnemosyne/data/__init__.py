"""Data files of the package: catalogue, laboratory, data sets, recipes. No code."""
