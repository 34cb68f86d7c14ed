"""What a format must do: whatever differs between formats is asked of these classes.

A dataset has one primary format, WebDataset, which its workers write shard by shard and which everything is made from.
Every other one is an `Export`: a single file beside the manifest, packed from the finished shards.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, ClassVar

from passband.pipeline.errors import PassbandError
from passband.pipeline.formats.blocks import hash_blocks
from passband.pipeline.layout import packed_name
from passband.pipeline.records import Manifest, PackedFile, StoredFile, ViewEntry
from passband.pipeline.store import Store, attempt_id, open_output

if TYPE_CHECKING:
    from passband.pipeline.formats.packed import PackedReader
    from passband.pipeline.formats.sample import Sample
    from passband.pipeline.loading.reader import Reader


class Format(ABC):
    """One way in which the samples of a dataset are stored.

    Attributes
    ----------
    name : as in `FORMATS`, in ``output.formats`` of a job and in the manifest
    title : as people call it
    suffix : what the path that a stream opens ends in; "" is the dataset's folder
    dtypes : of the views that it can hold
    """

    name: ClassVar[str]
    title: ClassVar[str]
    suffix: ClassVar[str]
    dtypes: ClassVar[tuple[str, ...]] = ("uint8", "float16")

    @abstractmethod
    def files(self, manifest: Manifest) -> Sequence[StoredFile]:
        """Return the files with pixels that the manifest lists; none where the dataset is not in this format."""

    @abstractmethod
    def open_reader(
        self,
        store: Store,
        manifest: Manifest,
        name: str,
        views: Sequence[ViewEntry],
        *,
        verify: bool,
        cache: str | Path | None,
    ) -> "Reader":
        """Return what reads `views` for a stream.

        Parameters
        ----------
        name : of the file in the dataset's folder that the stream's path means; "" for the folder itself
        verify, cache : as in `open_stream`

        Raises
        ------
        IntegrityError
            If what is stored is not what the manifest says.
        PassbandError
            If the manifest lists no such file.
        """


class Export(Format):
    """A format that is one file, NAME and a suffix, packed from the shards.

    It is entered in the manifest with a hash for every block, by which it is verified and read.

    Attributes
    ----------
    article : what stands before `title`
    """

    article: ClassVar[str] = "a"

    @property
    def key(self) -> str:
        """Where the manifest lists it."""
        return f"exports.{self.name}"

    def listed(self, manifest: Manifest) -> PackedFile | None:
        """Return what the manifest says of the file; None where it lists none."""
        return manifest.exports.get(self.name)

    def entered(self, manifest: Manifest, file: PackedFile) -> Manifest:
        """Return the manifest with the file in it."""
        return manifest.model_copy(update={"exports": {**manifest.exports, self.name: file}})

    def file_name(self, dataset: str) -> str:
        """Return the name of the file below the output."""
        return packed_name(dataset, self.suffix)

    def unfit(self, manifest: Manifest) -> str | None:
        """Say why the file cannot hold the dataset; None where it can."""
        others = [view for view in manifest.views if view.dtype not in self.dtypes]
        if not others:
            return None
        return f"views {', '.join(view.name for view in others)} are {others[0].dtype}, which {self.title} cannot hold"

    @abstractmethod
    def reader(self) -> type["PackedReader"]:
        """Return the class that reads the file; what it needs is imported here, and not before."""

    @abstractmethod
    def write(self, file: IO[bytes], manifest: Manifest, samples: Iterable["Sample"]) -> None:
        """Write samples into an empty file that can seek: the same bytes for the same samples.

        Parameters
        ----------
        samples : all that the manifest counts, in stored order; they are decoded as they are asked for
        """

    def pack(self, store: Store, manifest: Manifest, samples: Iterable["Sample"]) -> PackedFile:
        """Write the file, which appears under its name only when it is whole, and return what it is."""
        name = self.file_name(manifest.name)
        with store.staged(name, attempt_id()) as temporary:
            with open_output(temporary) as file:
                self.write(file, manifest, samples)
            return hash_blocks(temporary, name)

    def files(self, manifest: Manifest) -> Sequence[StoredFile]:
        """Return the one file, if the manifest lists it."""
        file = self.listed(manifest)
        return [] if file is None else [file]

    def open_reader(
        self,
        store: Store,
        manifest: Manifest,
        name: str,
        views: Sequence[ViewEntry],
        *,
        verify: bool,
        cache: str | Path | None,
    ) -> "Reader":
        """Return what reads `views` from the file, if it is the one that the manifest lists."""
        return self.reader()(store, manifest, self._named(store, manifest, name), views, verify=verify, cache=cache)

    def _named(self, store: Store, manifest: Manifest, name: str) -> PackedFile:
        """Return what the manifest says of the file `name`; raise PassbandError where it lists no such file."""
        file = self.listed(manifest)
        if file is None:
            raise PassbandError(
                f"{store.uri}/{name}: the manifest lists no {self.title} file; "
                f"add {self.name} to output.formats and run the job again"
            )
        if file.name != name:
            raise PassbandError(f"{store.uri}/{name}: the manifest lists {file.name}, not this file")
        return file

    def snippets(self, manifest: Manifest) -> dict[str, str]:
        """Return title -> code that reads the file without Passband, for the card; paths begin at the dataset."""
        return {}
