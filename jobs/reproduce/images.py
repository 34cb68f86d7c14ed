"""Images that a person has, for a reproduction: ``NAME=FOLDER`` as it is typed, and whether they can be read."""

from collections.abc import Mapping, Sequence
from typing import Any

from passband.jobs.common.jobfile import absolute_path
from passband.jobs.reproduce.graph import DatasetTask, Graph
from passband.pipeline.errors import PassbandError


def parse_images(texts: Sequence[str]) -> dict[str, str]:
    """Return name -> absolute folder of texts ``NAME=FOLDER``; raise PassbandError for one that is none."""
    found: dict[str, str] = {}
    for text in texts:
        name, equals, folder = text.partition("=")
        if not (name and equals and folder):
            raise PassbandError(f"images: {text!r} is not of the form NAME=FOLDER, such as cifar10=data/cifar-10")
        if name in found:
            raise PassbandError(f"images: {name} is given twice")
        found[name] = absolute_path(folder)
    return found


def check_images(graph: Graph, images: Mapping[str, str]) -> None:
    """Raise PassbandError unless every source that reads one of the folders `images` finds a first image there."""
    folders, seen = set(images.values()), list[Mapping[str, Any]]()
    for node in graph:
        source = node.task.job["source"] if isinstance(node.task, DatasetTask) else {}
        if isinstance(source, Mapping) and source.get("path") in folders and source not in seen:
            seen.append(source)
            _check(source)


def _check(source: Mapping[str, Any]) -> None:
    from passband.pipeline.sources import SOURCES
    from passband.pipeline.sources.imagefolder import ImageFolder

    kind = SOURCES[source["kind"]]
    opened = kind(kind.Options.model_validate({key: value for key, value in source.items() if key != "kind"}))
    if isinstance(opened, ImageFolder) and not opened.split_folders:
        raise PassbandError(
            f"images: {source['path']} is no folder of splits: put what is trained on and what is tested into folders "
            "of their own, train/CLASS/FILE and test/CLASS/FILE"
        )
    if next(iter(opened.entries()), None) is None:
        raise PassbandError(f"images: {source['path']} holds no image of the split {source['split']}")
