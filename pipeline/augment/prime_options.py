"""Options of the stage `prime` (METHODS 2): two samplers, six presets, every number open to change.

The samplers differ because the published description (PRIME, Modas et al. 2022, algorithm 1; algorithm 3 and
appendix B of the thesis) and the released code that produced its tables differ.
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field, model_validator

from passband.pipeline.augment.base import StageOptions

Primitive = Literal["spectral", "spatial", "color", "noise", "identity"]

SAMPLERS: dict[str, dict[str, Any]] = {
    "released": {"primitives": ["spectral", "spatial", "color"], "beta": [1, 1]},
    "paper": {"primitives": ["identity", "spectral", "spatial", "color"], "beta": None},
}

_COMMON = {"width": 3, "depth": 3, "strength": 1.0, "spectral_size": 3, "spectral_strength": 4.0, "noise_strength": 0.1}
_FILLING = {
    "sampler": "released",
    "spectral_strength": 0.1,
    "color_cut": 500,
    "color_variance": 0.001,
    "color_band": 20,
}

PRESETS: dict[str, dict[str, Any]] = {
    # The released configurations, and appendix B.2.2 of the thesis.
    "cifar": {
        "sampler": "released",
        "spatial_cut_min": 2,
        "spatial_cut_max": 100,
        "color_cut": 100,
        "color_variance": 0.01,
        "color_band": None,
    },
    "imagenet": {
        "sampler": "released",
        "spatial_cut_min": 2,
        "spatial_cut_max": 500,
        "color_cut": 500,
        "color_variance": 0.05,
        "color_band": 20,
    },
    "cifar-thesis": {
        "sampler": "paper",
        "spatial_cut_max": 100,
        "color_cut": 10,
        "color_variance": 0.0001,
        "color_band": None,
    },
    "imagenet-thesis": {
        "sampler": "paper",
        "spatial_cut_max": 500,
        "color_cut": 500,
        "color_variance": 0.0025,
        "color_band": 20,
    },
    # Sections 5.5.2 and 5.5.3: milder views for data that lack shape or colour cues.
    "filling-shape": {**_FILLING, "spatial_cut_min": 10, "spatial_cut_max": 10, "beta": [5, 1]},
    "filling-colour": {**_FILLING, "spatial_cut_min": 2, "spatial_cut_max": 100, "beta": [6, 2]},
}

PresetName = Literal["cifar", "imagenet", "cifar-thesis", "imagenet-thesis", "filling-shape", "filling-colour"]
Strength = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]
SpatialCut = Annotated[int, Field(ge=2, le=10_000)]
BetaParameter = Annotated[int, Field(ge=1, le=64)]


class PrimeOptions(StageOptions):
    """Random compositions of spectral filters, smooth deformations and smooth colour changes.

    `preset` fills in whatever is not given; the dump holds every number.
    """

    # What the preset fills in need not stand in a job file.
    model_config = ConfigDict(json_schema_extra=lambda schema: schema.pop("required", None))

    unused: ClassVar[Mapping[str, Any]] = {"mix": True}

    preset: PresetName = Field("cifar", description="Where numbers that are not given come from.")
    sampler: Literal["released", "paper"] = Field(
        description="released: chains of 1..depth steps, mixed with the clean image by Beta. "
        "paper: chains of exactly depth steps, the clean image mixed in like one more chain."
    )
    primitives: list[Primitive] = Field(min_length=1, description="What a step is drawn from, each equally likely.")
    strength: Strength = Field(description="Multiplies every standard deviation.")
    width: int = Field(ge=1, le=255, description="Number of chains.")
    depth: int = Field(ge=1, le=255, description="Steps of a chain, at most (released) or exactly (paper).")
    beta: Annotated[list[BetaParameter], Field(min_length=2, max_length=2)] | None = Field(
        description="Parameters of the Beta distribution of the augmented share; of the sampler released only."
    )
    mix: bool = Field(True, description="false: one chain by itself; width is then 1, and beta is not used.")
    spectral_size: int = Field(ge=1, le=63, description="Side of the filter, in pixels.")
    spectral_strength: Strength = Field(description="Largest standard deviation of a filter tap.")
    spatial_cut_min: SpatialCut = Field(description="Least cut of the sine modes.")
    spatial_cut_max: SpatialCut = Field(description="Largest cut; equal to the least: a fixed cut.")
    color_cut: int = Field(ge=1, le=10_000, description="Largest frequency of the colour series.")
    color_variance: Strength = Field(description="Largest variance of a colour coefficient.")
    color_band: Annotated[int, Field(ge=1, le=10_000)] | None = Field(
        description="Number of consecutive frequencies, from a drawn one on; null: all from 1."
    )
    noise_strength: Strength = Field(description="Largest standard deviation of the primitive noise.")

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, given: Any) -> Any:
        """Put the preset's numbers where none are given; what cannot be filled is left to the field's own check."""
        if not isinstance(given, dict):
            return given
        name = given.get("preset", "cifar")
        preset = PRESETS.get(name) if isinstance(name, str) else None
        if preset is None:
            # Enough to validate, so that the one error names the preset and not a dozen missing fields.
            preset = PRESETS["cifar"]
        sampler = given.get("sampler", preset["sampler"])
        of_sampler = SAMPLERS.get(sampler, {}) if isinstance(sampler, str) else {}
        if sampler != preset["sampler"]:
            preset = {key: value for key, value in preset.items() if key not in ("beta", "spatial_cut_min")}
        chains = {"width": 1} if given.get("mix") is False else {}
        filled = {**SAMPLERS["released"], **_COMMON, **of_sampler, **preset, **chains, **given}
        # The sampler paper has one cut; with released, a changed sampler keeps the released code's least cut.
        fallback = filled["spatial_cut_max"] if sampler == "paper" else 2
        return {"spatial_cut_min": fallback, **filled}

    @model_validator(mode="after")
    def _agree(self) -> "PrimeOptions":
        if len(set(self.primitives)) < len(self.primitives):
            raise ValueError(f"primitives: {self.primitives} names one twice")
        if self.spatial_cut_min > self.spatial_cut_max:
            raise ValueError(
                f"spatial_cut_min {self.spatial_cut_min}: allowed are 2 to spatial_cut_max ({self.spatial_cut_max})"
            )
        if self.sampler == "paper" and self.spatial_cut_min != self.spatial_cut_max:
            raise ValueError(
                f"spatial_cut_min {self.spatial_cut_min}: the sampler paper has one cut, spatial_cut_max "
                f"({self.spatial_cut_max})"
            )
        if not self.mix and self.width != 1:
            raise ValueError(f"width {self.width}: without mix a view is one chain; leave width out")
        if (self.sampler == "released") != (self.beta is not None):
            raise ValueError(f"beta {self.beta}: two integers with the sampler released, null with paper")
        return self
