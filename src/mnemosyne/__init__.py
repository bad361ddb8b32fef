"""Mnemosyne: plain questions to checked SQL for laboratory databases, on your own machine."""

__version__ = "0.1.0"
