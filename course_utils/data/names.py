"""One wording for "there is no such name": what came, what there is, what was probably meant."""

from collections.abc import Sequence
from difflib import get_close_matches


def unknown(kind: str, name: object, known: Sequence[str]) -> ValueError:
    """An error for a name that is not among the known ones, to be raised by the caller.

    >>> print(unknown("data set", "street_scene", ["cells", "street_scenes"]))
    Unknown data set 'street_scene'. Did you mean 'street_scenes'? Known: cells, street_scenes.
    """
    close = get_close_matches(str(name), known)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return ValueError(f"Unknown {kind} {name!r}.{hint} Known: {', '.join(known)}.")
