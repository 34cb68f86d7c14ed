"""Options of the stage `corrupt`: which corruptions, how severe, by which table."""

from collections.abc import Callable
from fractions import Fraction
from math import factorial
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Discriminator, Field, Tag, field_validator, model_validator

from passband.pipeline.augment.base import StageOptions
from passband.pipeline.augment.corruption.catalog import CORRUPTIONS
from passband.pipeline.corruptions import NAMES, SEVERITIES, TableName
from passband.pipeline.options import StrictModel, listed

Fixed = Annotated[int, Field(ge=0, le=SEVERITIES)]


if TYPE_CHECKING:
    TypeName = str
else:
    TypeName = listed(CORRUPTIONS, lambda: Literal[tuple(CORRUPTIONS)])


class PoissonSeverity(StrictModel):
    """A Poisson number for each sample, truncated to 0..5 and renormalised."""

    poisson: float = Field(gt=0, le=1000, allow_inf_nan=False, description="rate")

    def thresholds(self) -> list[int]:
        """Return for severities 1..5 the first word that draws it or more; exact, since exp(-rate) cancels."""
        rate = Fraction(self.poisson)
        masses = [rate**k / factorial(k) for k in range(SEVERITIES + 1)]
        return [round(sum(masses[:k]) * 2**32 / sum(masses)) for k in range(1, SEVERITIES + 1)]


class UniformSeverity(StrictModel):
    """One of first..last for each sample, each as likely."""

    uniform: list[Fixed] = Field(min_length=2, max_length=2, description="first and last")

    @model_validator(mode="after")
    def _check_order(self) -> "UniformSeverity":
        if self.uniform[0] > self.uniform[1]:
            raise ValueError(f"{self.uniform}: the first severity must not be above the last")
        return self

    def thresholds(self) -> list[int]:
        """Return for severities 1..5 the first word that draws it or more."""
        first, last = self.uniform
        count = last - first + 1
        return [round(Fraction(min(max(k - first, 0), count), count) * 2**32) for k in range(1, SEVERITIES + 1)]


def _kind(given: Any) -> str | None:
    """Say which of the spellings of a severity is meant, so that an error is about that one alone."""
    if isinstance(given, int) and not isinstance(given, bool):
        return "fixed"
    if isinstance(given, PoissonSeverity) or (isinstance(given, dict) and "poisson" in given):
        return "poisson"
    if isinstance(given, UniformSeverity) or (isinstance(given, dict) and "uniform" in given):
        return "uniform"
    return None


Severity = Annotated[
    Annotated[Fixed, Tag("fixed")]
    | Annotated[PoissonSeverity, Tag("poisson")]
    | Annotated[UniformSeverity, Tag("uniform")],
    Discriminator(
        _kind,
        custom_error_type="severity",
        custom_error_message="needs 0 to 5, {poisson: rate} or {uniform: [first, last]}",
    ),
]


def _spell_out(given: Any) -> Any:
    if given == "all":
        return list(NAMES)
    return [given] if isinstance(given, str) else given


class CorruptOptions(StageOptions):
    """Which corruptions, how severe, by which table."""

    types: Annotated[
        list[TypeName],
        BeforeValidator(_spell_out, json_schema_input_type=Literal["all"] | TypeName | list[TypeName]),
        Field(min_length=1, description="each sample draws one of these, each as likely; one name, or all"),
    ]
    severity: Severity = Field(
        description="0 (the image itself) to 5; drawn for each sample by {poisson: 1.0} or {uniform: [0, 5]}"
    )
    table: TableName | None = Field(
        default=None,
        description="of constants; default: cifar for images up to 32 pixels, tiny up to 64, else imagenet",
    )

    rounding: Literal["nearest", "truncate"] = Field(
        default="nearest", description="to 8 bits; truncate: to the level below, as in the published data sets"
    )

    frost_textures: str | None = Field(
        default=None, min_length=1, description="folder of photographs for frost, as the published ones; default: drawn"
    )

    def with_absolute_paths(self, absolute: Callable[[str], str]) -> Self:
        """Return the options with the folder of photographs as `absolute` makes it."""
        if self.frost_textures is None:
            return self
        return self.model_copy(update={"frost_textures": absolute(self.frost_textures)})

    @model_validator(mode="after")
    def _check_textures(self) -> Self:
        if self.frost_textures is not None and "frost" not in self.types:
            raise ValueError(f"frost_textures is for frost, which is not among the types {', '.join(self.types)}")
        return self

    @field_validator("types")
    @classmethod
    def _check_types(cls, types: list[str]) -> list[str]:
        if len(set(types)) < len(types):
            raise ValueError(f"{types} names one twice")
        return types
