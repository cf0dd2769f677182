"""Where the model of a ``build`` is: what its store was made by."""

from pathlib import Path

from selfsent.search.mapped_store import MappedStore
from selfsent.search.store import Store
from selfsent.search.store_place import store_in


def model_of(path: str | Path) -> str:
    """Name the model that a path means: of a folder that ``build`` made, the model that its store records.

    Args:
        path: A model's folder or hub name, or the folder of a ``build``.

    Returns:
        Folder or hub name of the model; a path that is no build as it is.
    """
    name = str(path)
    place = store_in(name)
    if place == name:
        return name
    return (MappedStore.find(place) or Store.open(place)).model.location(place)
