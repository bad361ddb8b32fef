"""From a finished training run to files that others can use, each measured before it leaves.

`adapters` reads what a run learned, `merging` puts it into the base, `gguf_files` and `quantising` write
GGUF, `templates` and `ollama` carry the prompt contract to other programs, `parity` and `gates` decide
whether a file may leave, `card` writes the model card, `making` does all of it in one folder that
appears whole or not at all, `hub` uploads the folder. docs/releasing.md is the manual.
"""
