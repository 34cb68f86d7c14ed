"""Options of the stage `sada`; defaults are those of Zhang et al. 2023 for digits."""

from collections.abc import Callable
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from passband.pipeline.augment.base import StageOptions
from passband.pipeline.surrogate.options import SensitivityOptions, SurrogateOptions

COMPUTED = ("enhanced", "original")
"""Maps that are computed from the surrogate and the job's own source when the dataset is planned."""


class SadaOptions(StageOptions):
    """Which model is attacked, where in the spectrum, and how far."""

    surrogate: SurrogateOptions
    map: str = Field("enhanced", min_length=1, description="enhanced, original, none, or a PATH.npz of analyze")
    map_name: str | None = Field(None, description="array of PATH.npz; default: enhanced, else the only one")
    sensitivity: SensitivityOptions = Field(
        default_factory=lambda: SensitivityOptions.model_validate({}), description="how a map is computed"
    )
    steps: int = Field(5, ge=0, le=254, description="updates at most, T")
    step_size: float = Field(0.08, ge=0, le=1, description="delta: relative change of an amplitude, times its weight")
    init: float = Field(0.2, ge=0, le=1, description="eps: amplitudes begin within a factor of 1 - eps to 1 + eps")
    stop: Literal["label", "changed"] = Field(
        "label", description="a sample is done when its prediction differs from its label, or from the clean image's"
    )
    weight: Literal["one_plus_map", "map"] = Field("one_plus_map", description="what multiplies delta")
    targeted: bool = Field(True, description="false: random signs in place of the gradient's")
    random_only: bool = Field(False, description="only the random start, without an update")

    def with_absolute_paths(self, absolute: Callable[[str], str]) -> Self:
        """Return the options with the paths of checkpoint and map as `absolute` makes them."""
        changed: dict[str, Any] = {"surrogate": self.surrogate.with_absolute_path(absolute)}
        changed |= {} if self.map_file is None else {"map": absolute(self.map)}
        return self.model_copy(update=changed)

    @property
    def computes_map(self) -> bool:
        """Whether the map is computed when the dataset is planned."""
        return self.map in COMPUTED and not self.random_only

    @property
    def map_file(self) -> str | None:
        """The file that holds the map, where one is given."""
        return None if self.map in (*COMPUTED, "none") else self.map

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.map_file is not None and not self.map.endswith(".npz"):
            raise ValueError(f"map is {self.map!r}; allowed: enhanced, original, none, or a file that ends in .npz")
        if self.map_name is not None and self.map_file is None:
            raise ValueError(f"map_name chooses an array of a file; map is {self.map!r}")
        if self.random_only and self.map_file is not None:
            raise ValueError(f"random_only takes no step, so it uses no map; map is {self.map!r}")
        if self.map == "none" and self.weight == "map":
            raise ValueError("weight map needs a map: without one nothing would change")
        return self
