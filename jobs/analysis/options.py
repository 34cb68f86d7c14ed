"""What studies are told in a job file: sections ``attack``, ``margins``, ``coverage`` and ``spectrum``."""

from collections.abc import Callable
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, field_serializer, model_validator

from passband.jobs.dataset.entries import View
from passband.jobs.dataset.view_names import view_names
from passband.pipeline.attacks.options import WalkOptions
from passband.pipeline.augment.corruption.options import TypeName
from passband.pipeline.corruptions import NAMES, SEVERITIES, TableName, all_types
from passband.pipeline.options import StrictModel

Method = Literal["deepfool", "sparsefool", "random"]
Form = Literal["square", "diagonal"]
Name = Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]


class AttackOptions(WalkOptions):
    """Minimal perturbations: `deepfool` in the l2 norm, `sparsefool` of few pixels, and as many drawn at random.

    Attributes
    ----------
    lam : lambda, how far over the boundary the plane lies that SparseFool solves for
    rounds : linear problems that SparseFool solves, at most
    alpha : most by which SparseFool changes an element, of images in [0, 1]; null: no bound
    target : name of the class that images are moved to; null: any other
    """

    methods: list[Method] = Field(["deepfool", "sparsefool", "random"], min_length=1)
    lam: float = Field(3.0, ge=1, le=100, description="lambda of SparseFool: 1 for MNIST, 3 for CIFAR-10 in the paper")
    rounds: int = Field(20, ge=1, le=1000, description="linear problems that SparseFool solves, at most")
    alpha: float | None = Field(
        None, gt=0, le=1, description="most by which SparseFool changes an element; null: no bound"
    )
    target: str | None = Field(
        None, min_length=1, description="name of the class that images are moved to; null: any other"
    )

    @model_validator(mode="after")
    def _check_methods(self) -> Self:
        if len(set(self.methods)) < len(self.methods):
            raise ValueError(f"methods: {', '.join(self.methods)} names one more than once")
        if "random" in self.methods and "sparsefool" not in self.methods:
            raise ValueError(
                "methods: random changes as many values as sparsefool does, so it needs sparsefool beside it"
            )
        return self


class _Subspaces(StrictModel):
    """A family of subspaces; its name stands in results and plots."""

    name: Name | None = Field(None, description="default: its kind")


class _Blocks(_Subspaces):
    """Blocks along the diagonal.

    Attributes
    ----------
    block, step : K and T, in frequencies
    form : the whole K x K block, or its diagonal
    """

    block: int = Field(8, ge=1, description="K: frequencies of a block; 16 for ImageNet in the paper")
    step: int = Field(2, ge=1, description="T: between blocks; 1 for MNIST, 2 for CIFAR-10, 16 for ImageNet")
    form: Form = "square"


class DctSubspaces(_Blocks):
    """Of the DCT."""

    kind: Literal["dct"]


class RandomSubspaces(_Blocks):
    """Of a random orthonormal matrix, arranged as the DCT is."""

    kind: Literal["random"]
    seed: int = Field(0, ge=0, lt=2**63, description="of the matrix")


class FileSubspaces(_Subspaces):
    """Spans of functions in a file of NumPy: (J, S, D), or an .npz of (S, D) in the order of their names."""

    kind: Literal["file"]
    path: str = Field(min_length=1, description="X.npy, (J, S, D), or X.npz; D: height x width, or times the channels")


AnySubspaces = Annotated[DctSubspaces | RandomSubspaces | FileSubspaces, Field(discriminator="kind")]


class MarginOptions(WalkOptions):
    """Distances to the boundary within subspaces."""

    steps: int = Field(100, ge=1, le=1000, description="of DeepFool, at most")
    subspaces: list[AnySubspaces] = Field(
        [DctSubspaces.model_validate({"kind": "dct"}), RandomSubspaces.model_validate({"kind": "random"})],
        min_length=1,
        max_length=64,
    )

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        names = list(self.named)
        if len(names) < len(self.subspaces):
            told = ", ".join(family.name or family.kind for family in self.subspaces)
            raise ValueError(f"subspaces: {told} names one more than once; give each a name of its own")
        return self

    def with_absolute_paths(self, absolute: Callable[[str], str]) -> Self:
        """Return the options with the paths of files as `absolute` makes them."""
        changed = [
            family.model_copy(update={"path": absolute(family.path)}) if isinstance(family, FileSubspaces) else family
            for family in self.subspaces
        ]
        return self.model_copy(update={"subspaces": changed})

    @property
    def named(self) -> dict[str, DctSubspaces | RandomSubspaces | FileSubspaces]:
        """The families by their names."""
        return {family.name or family.kind: family for family in self.subspaces}


class CoveredCorruptions(StrictModel):
    """Corruptions that views may come near: each type at each severity."""

    types: Annotated[
        list[TypeName],
        BeforeValidator(all_types, Literal["all"] | list[TypeName]),
        Field(min_length=1, description="of stage corrupt, or all"),
    ] = list(NAMES)
    severities: list[Annotated[int, Field(ge=1, le=SEVERITIES)]] = Field(
        default=list(range(1, SEVERITIES + 1)), min_length=1
    )
    table: TableName | None = Field(
        None, description="of constants; default: cifar for images up to 32 pixels, tiny up to 64, else imagenet"
    )

    @model_validator(mode="after")
    def _check_unique(self) -> Self:
        for key, values in (("types", self.types), ("severities", self.severities)):
            if len(set(values)) < len(values):
                raise ValueError(f"{key}: {', '.join(map(str, values))} names one more than once")
        return self

    def entries(self) -> list[dict[str, Any]]:
        """Return a view for each type and severity, called TYPE-SEVERITY, as a dataset's job names it."""
        return [
            {"corrupt": {"types": [kind], "severity": severity, "table": self.table}, "name": f"{kind}-{severity}"}
            for kind in self.types
            for severity in self.severities
        ]


def _default_views() -> list[Any]:
    recipes: dict[str, Any] = {
        "augmix-unmixed": {"augmix": {"mix": False}},
        "prime-unmixed": {"prime": {"mix": False}},
        "augmix": {"augmix": {}},
        "prime": {"prime": {}},
    }
    return ["clean", *({**recipe, "copies": 100, "name": name} for name, recipe in recipes.items())]


class RecipeOptions(StrictModel):
    """Recipes of views, each with a name of its own.

    Attributes
    ----------
    views : recipes that are compared, each with so many copies; ``clean`` is the image itself
    """

    views: list[View] = Field(
        default_factory=_default_views,
        min_length=1,
        max_length=64,
        validate_default=True,
        description="recipes, as in a job of kind generate; copies: views of each image",
    )

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        if len(self.named) < len(self.views):
            told = ", ".join(name_of(entry) for entry in self.views)
            raise ValueError(f"views: {told} names one more than once; give each a name of its own")
        return self

    @field_serializer("views")
    def _spell_out(self, views: list[View]) -> list[Any]:
        """Spell each recipe out with its options, whatever stages there are beside it."""
        return [
            {
                "name": name_of(entry),
                "copies": entry.copies,
                "chain": [{stage: options.model_dump()} for stage, options in entry.recipe()],
            }
            if entry.recipe()
            else "clean"
            for entry in views
        ]

    @property
    def named(self) -> dict[str, View]:
        """The recipes by their names."""
        return {name_of(entry): entry for entry in self.views}


class CoverageOptions(RecipeOptions):
    """How near views come to corruptions."""

    corruptions: CoveredCorruptions = Field(default_factory=lambda: CoveredCorruptions.model_validate({}))


_LARGE = 64
"""Pixels of the shorter side above which the blocks of a spectrum are those of large images."""


class StoredOptions(StrictModel):
    """Views that a dataset stores of the images that are looked at."""

    path: str = Field(min_length=1, description="folder of a dataset of the same images, or s3://bucket/prefix")
    views: list[Name] = Field(min_length=1, max_length=64, description="names of its views")


class SpectrumOptions(RecipeOptions):
    """How the energy of views is spread along the diagonal of the DCT.

    Attributes
    ----------
    stored : further views, which are read, whatever made them
    block, step : K and T, in frequencies
    mean : whether the mean of each channel counts as energy
    """

    views: list[View] = Field(
        default_factory=lambda: ["clean", "augmix", "prime"],
        min_length=1,
        max_length=64,
        validate_default=True,
        description="recipes, as in a job of kind generate; copies: views of each image",
    )
    stored: StoredOptions | None = Field(None, description="views of a dataset of the same images; null: none")
    block: int | None = Field(
        None, ge=1, description="K: frequencies of a block; default: 8 for images up to 64 pixels, else 16"
    )
    step: int | None = Field(
        None, ge=1, description="T: between blocks; default: 2 for images up to 64 pixels, else 16"
    )
    mean: Literal["removed", "kept"] = Field(
        "removed", description="whether the mean of each channel counts: most of the energy of a photograph is there"
    )

    @model_validator(mode="after")
    def _check_stored(self) -> Self:
        names = [*self.named, *self.stored_names]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"views and stored.views name {', '.join(twice)} more than once")
        return self

    @property
    def stored_names(self) -> list[str]:
        """The views that are read."""
        return [] if self.stored is None else self.stored.views

    def with_absolute_paths(self, absolute: Callable[[str], str]) -> Self:
        """Return the options with the dataset's path as `absolute` makes it."""
        if self.stored is None:
            return self
        return self.model_copy(update={"stored": self.stored.model_copy(update={"path": absolute(self.stored.path)})})

    def spacing(self, height: int, width: int) -> tuple[int, int]:
        """Return K and T for images of that size."""
        block, step = (16, 16) if min(height, width) > _LARGE else (8, 2)
        return self.block or block, self.step or step


def name_of(entry: View) -> str:
    """Return what a recipe is called, whatever the number of its copies."""
    return view_names([entry.model_copy(update={"copies": 1})])[0]
