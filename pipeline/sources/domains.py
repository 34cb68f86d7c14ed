"""Source ``domains``: one folder a domain, in each one folder a class, image files below it.

This is how DomainBed (Gulrajani & Lopez-Paz 2021) keeps PACS, VLCS, OfficeHome and TerraIncognita.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Annotated, ClassVar

import numpy as np
from pydantic import AfterValidator, Field

from passband.pipeline.sources import splits
from passband.pipeline.sources.base import Entry, SourceError, SourceOptions
from passband.pipeline.sources.classfolders import IGNORE_OR_ERROR, ClassFolders, Others, beside, some
from passband.pipeline.sources.local import checked_key
from passband.pipeline.sources.packaged import Split, split_rows
from passband.pipeline.sources.skipped import Skipped
from passband.pipeline.sources.walk import Walk

_OTHER_DOMAIN, _OTHER_CLASS = "of another domain", "of another class"


def _in_order(names: list[str] | None) -> list[str] | None:
    return None if names is None else sorted(names)


class DomainsOptions(SourceOptions):
    """Options of ``domains``."""

    places: ClassVar[frozenset[str]] = frozenset({"path", "ignore", "classes"})

    path: str = Field(description="folder whose folders are the domains; the folders of these are the classes")
    domains: Annotated[list[str] | None, AfterValidator(_in_order)] = Field(
        None, min_length=1, description="names of the domains that are read, in any order; absent: all"
    )
    classes: list[str] | None = Field(
        None,
        min_length=1,
        description="names of the classes that are read, in the order of the labels; absent: the folders of all "
        "domains at the path, read or not, sorted",
    )
    split: Split = Field(
        "all", description="train, test (every fifth image of each class of each domain, by name) or all"
    )
    ignore: list[str] = Field(default=[], description=IGNORE_OR_ERROR)


class Domains(ClassFolders):
    """Image files of several domains in DomainBed's layout; the key is the relative POSIX path, DOMAIN/CLASS/FILE.

    Domains are sorted by name. So are classes: those of every domain at the path together, so that labels agree
    whichever domains are read. Names that start with a dot are skipped. Links are followed; a link to a folder that
    contains it is an error.
    """

    kind = "domains"
    has_domains = True
    Options = DomainsOptions
    options: DomainsOptions

    def __init__(self, options: DomainsOptions) -> None:
        super().__init__(options, options.path)
        self._counts: Counter[tuple[str, str]] = Counter()

    @cached_property
    def domains(self) -> tuple[str, ...]:
        """Names of the domains that are read, sorted."""
        every = list(self._folders)
        self._refuse_unknown("domain", self.options.domains or every, every)
        return tuple(name for name in every if name in (self.options.domains or every))

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """Names of the class folders of all domains, sorted; or those that are asked for, as they stand there."""
        every = sorted({name for classes in self._folders.values() for name in classes})
        if not every:
            raise SourceError(f"source domains: no folder of {self.options.path!r} has a folder in it, so no class")
        self._refuse_unknown("class", self.options.classes or every, every)
        return tuple(self.options.classes or every)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Which classes a domain lacks, as far as images are listed; and folders that seem to be no classes."""
        lacking = {name: [c for c in self.classes if not self._counts[name, c]] for name in self.domains}
        mixed = [name for name in self.domains if len(_splits_among(self._folders[name])) > 1]
        taken = (
            f"the folders of the domain {some(mixed)} that are named after splits are taken as classes; if they are "
            "splits, their classes are to lie directly in the domain",
        )
        without = (f"the domain {name} has no image of {some(lacks)}" for name, lacks in lacking.items() if lacks)
        return (*without, *(taken if mixed else ()))

    def entries(self) -> Iterator[Entry]:
        """List the images by domain and class, names sorted; files that are no images end the list with an error."""
        self.skipped.clear()
        self._counts.clear()
        walk, others = self._walk(self.skipped), Others()
        for name in others.folders(walk.scan(), "domain folder"):
            if name not in self.domains:
                self.skipped.add(_OTHER_DOMAIN, f"{name}/")
        for number in range(len(self.domains)):
            listed = list(self._of_domain(walk, number, others))
            labels = np.array([entry.label for entry in listed], np.int64)
            yield from (listed[row] for row in split_rows(labels, self.options.split).tolist())
        others.refuse(self.kind)
        if empty := [name for name in self.domains if not any(self._counts[name, one] for one in self.classes)]:
            raise SourceError(
                f"source domains: the domain {some(empty)} holds no image of the classes that are read"
                f"{beside(self.skipped)}; leave it out by the option 'domains'"
            )

    def _of_domain(self, walk: Walk, number: int, others: Others) -> Iterator[Entry]:
        domain = self.domains[number]
        present = {path.rpartition("/")[2] for path in others.folders(walk.scan(domain), "class folder")}
        for name in sorted(present.difference(self.classes)):
            self.skipped.add(_OTHER_CLASS, f"{domain}/{name}/")
        for label, name in enumerate(self.classes):
            for key in self._images(walk, f"{domain}/{name}", others) if name in present else ():
                self._counts[domain, name] += 1
                yield Entry(key, label, 0, number)

    @cached_property
    def _folders(self) -> Mapping[str, list[str]]:
        """Every domain at the path, sorted, and the names of the folders in it."""
        left_out = Skipped()
        walk, others = self._walk(left_out), Others()
        found = others.folders(walk.scan(), "domain folder")
        if not found:
            raise SourceError(f"source domains: {self.options.path!r} has no folder, so no domain{beside(left_out)}")
        inner = {checked_key(self.kind, name): others.folders(walk.scan(name), "class folder") for name in found}
        return {
            name: [checked_key(self.kind, path).rpartition("/")[2] for path in paths] for name, paths in inner.items()
        }

    def _refuse_unknown(self, what: str, asked: Sequence[str], known: Sequence[str]) -> None:
        if unknown := [name for name in asked if name not in known]:
            raise SourceError(
                f"source domains: {self.options.path!r} has no {what} {some(unknown)}; there are {some(known)}"
            )
        if len(set(asked)) < len(asked):
            raise SourceError(f"source domains: a {what} is named twice: {some(asked)}")

    @property
    def _ignored(self) -> list[str]:
        return self.options.ignore


def _splits_among(names: Sequence[str]) -> set[str]:
    """Return which of the usual splits some names are words for."""
    return {split for split, words in splits.WORDS.items() for name in names if name.lower() in words}
