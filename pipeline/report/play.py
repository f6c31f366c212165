"""The networks that run in the page: which data sets have room for theirs."""

from collections.abc import Iterable

from pipeline.evaluation.networks import Network
from pipeline.files import read_checked
from pipeline.report.results import Evaluated

ROOM, SEEDS = 150_000, 3
"""Bytes of weights and examples in a page, which is to stay below 1.2 MB with all else that it holds; seeds of each."""


def networks(built: Iterable[Evaluated]) -> dict[str, Network]:
    """Data set -> the network to play with: of each preparation the first one's, with as many seeds as have room.

    Raises:
        UnrollError: a network.json is damaged.
    """
    found: dict[str, Network] = {}
    room, seen = ROOM, set()
    for one in built:
        path = one.folder / "tables" / "network.json"
        network = read_checked(path, Network) if path.exists() else None
        if network is None or network.preparation in seen or network.experiment not in one.experiments:
            continue
        given, each = sum(map(len, network.inputs)), len(network.weights[0])
        if kept := network.weights[: min(SEEDS, max(0, room - given) // each)]:
            found[one.name] = network.model_copy(update={"seeds": network.seeds[: len(kept)], "weights": kept})
            room -= given + each * len(kept)
            seen.add(network.preparation)
    return found
