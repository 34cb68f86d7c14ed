"""Which surrogate a stage or an analysis uses, as it stands in a job file."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from passband.pipeline.networks.names import OURS, TORCHVISION, check_network
from passband.pipeline.options import StrictModel

SHA256 = "^[0-9a-f]{64}$"
Channels = Annotated[list[Annotated[float, Field(allow_inf_nan=False)]], Field(min_length=3, max_length=3)]


class SurrogateOptions(StrictModel):
    """A frozen classifier: a checkpoint of ``passband train``, or a network of torchvision with a state dict.

    Attributes
    ----------
    batch : images in every forward pass; the last ones are filled up, since torch's bits depend on it
    mean, std : one number a channel, of images in [0, 1]; torchvision only, whose files do not carry them
    """

    network: str = Field(description=f"{', '.join(OURS)}, or {TORCHVISION}NAME")
    checkpoint: str = Field(min_length=1, description="a training's folder, its model.pt, or torchvision's state dict")
    sha256: str | None = Field(None, pattern=SHA256, description="of the checkpoint's file; another one is refused")
    batch: int = Field(64, ge=1, le=4096, description="images in every forward pass")
    precision: Literal["float32", "bfloat16"] = Field(
        "float32", description="bfloat16: autocast, less exact; faster on processors that have it"
    )
    channels_last: bool = False
    mean: Channels | None = Field(None, description="of torchvision, one a channel; default: ImageNet's")
    std: Channels | None = Field(None, description="of torchvision, one a channel; default: ImageNet's")

    @model_serializer(mode="wrap")
    def _without_absent(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave a hash out that is not given: jobs that are older than the key read and count as they did."""
        found: dict[str, Any] = handler(self)
        return {key: value for key, value in found.items() if key != "sha256" or value is not None}

    @property
    def is_torchvision(self) -> bool:
        """Whether the network is one of torchvision's."""
        return self.network.startswith(TORCHVISION)

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_network(self.network, "network")
        if not self.is_torchvision and (self.mean is not None or self.std is not None):
            raise ValueError("mean and std come with the checkpoint; they are given for torchvision only")
        if self.std is not None and min(self.std) <= 0:
            raise ValueError(f"std is {self.std}; allowed: above 0")
        if (self.mean is None) != (self.std is None):
            raise ValueError("mean and std are given together or not at all")
        return self


class SensitivityOptions(StrictModel):
    """How the frequencies that a frozen model is sensitive to are mapped (Zhang et al. 2023, eq. 2 and 4).

    Attributes
    ----------
    scale : the enhanced map's noise at (i, j) has the l2 norm D(i, j): `scale` times the data's mean amplitude there
    norm : the original map's noise has this l2 norm, a channel, of images in [0, 1]
    subset : images that are looked at, the same number of every class as far as possible; null: all
    """

    scale: float = Field(10.0, ge=0, allow_inf_nan=False, description="times the mean amplitude: the enhanced noise")
    norm: float = Field(8.0, ge=0, allow_inf_nan=False, description="l2 norm of the original map's noise, a channel")
    subset: int | None = Field(None, ge=1, description="images looked at, stratified by class; null: all")
