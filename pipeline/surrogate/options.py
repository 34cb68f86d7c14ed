"""Which surrogate a stage or an analysis uses, as it stands in a job file."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pipeline.options import StrictModel

TORCHVISION = "torchvision/"
OURS = ("convnet", "lenet", "resnet18", "wide_resnet16_4")


class SurrogateOptions(StrictModel):
    """A frozen classifier: a checkpoint of ``passband train``, or a network of torchvision with a state dict.

    Attributes
    ----------
    batch : images in every forward pass; the last ones are filled up, since torch's bits depend on it
    mean, std : one number a channel, of images in [0, 1]; torchvision only, whose files do not carry them
    """

    network: str = Field(description=f"{', '.join(OURS)}, or {TORCHVISION}NAME")
    checkpoint: str = Field(min_length=1, description="a training's folder, its model.pt, or torchvision's state dict")
    batch: int = Field(64, ge=1, le=4096, description="images in every forward pass")
    precision: Literal["float32", "bfloat16"] = Field("float32", description="bfloat16: autocast, faster, less exact")
    channels_last: bool = False
    mean: list[float] | None = Field(None, description="of torchvision, one a channel; default: ImageNet's")
    std: list[Annotated[float, Field(gt=0)]] | None = Field(
        None, description="of torchvision, one a channel; default: ImageNet's"
    )

    @property
    def is_torchvision(self) -> bool:
        """Whether the network is one of torchvision's."""
        return self.network.startswith(TORCHVISION)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.is_torchvision and self.network not in OURS:
            raise ValueError(f"network is {self.network!r}; allowed: {', '.join(OURS)}, or {TORCHVISION}NAME")
        if not self.is_torchvision and (self.mean is not None or self.std is not None):
            raise ValueError("mean and std come with the checkpoint; they are given for torchvision only")
        if (self.mean is None) != (self.std is None):
            raise ValueError("mean and std are given together or not at all")
        return self
