"""Which surrogate a stage or an analysis uses, as it stands in a job file."""

from collections.abc import Callable
from typing import Annotated, Any, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from passband.pipeline.networks.checkpoint import NetworkError
from passband.pipeline.networks.names import OURS, TORCHVISION, check_network
from passband.pipeline.networks.packaged import PACKAGED, packaged_weights
from passband.pipeline.options import StrictModel

SHA256 = "^[0-9a-f]{64}$"
_UNUSED = (("sha256", None), ("labels", "data"))
Channels = Annotated[list[Annotated[float, Field(allow_inf_nan=False)]], Field(min_length=3, max_length=3)]


class SurrogateOptions(StrictModel):
    """A frozen classifier: a checkpoint of ``passband train``, published weights by name, or torchvision's state dict.

    Attributes
    ----------
    batch : images in every forward pass; the last ones are filled up, since torch's bits depend on it
    mean, std : one number a channel, of images in [0, 1]; torchvision only, whose files do not carry them
    """

    network: str = Field(description=f"{', '.join(OURS)}, or {TORCHVISION}NAME")
    checkpoint: str = Field(
        min_length=1,
        description="a training's folder, its model.pt, torchvision's state dict, or IMAGENET1K of efficientnet_lite0",
    )
    sha256: str | None = Field(None, pattern=SHA256, description="of the checkpoint's file; another one is refused")
    batch: int = Field(64, ge=1, le=4096, description="images in every forward pass")
    precision: Literal["float32", "bfloat16"] = Field(
        "float32", description="bfloat16: autocast, less exact; faster on processors that have it"
    )
    channels_last: bool = False
    labels: Literal["data", "own"] = Field(
        "data", description="own: what the network says of the clean image, so that its classes may be others"
    )
    mean: Channels | None = Field(None, description="of torchvision, one a channel; default: ImageNet's")
    std: Channels | None = Field(None, description="of torchvision, one a channel; default: ImageNet's")

    @model_serializer(mode="wrap")
    def _without_absent(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave younger keys out that are not used: jobs that are older than they read and count as they did."""
        found: dict[str, Any] = handler(self)
        return {key: value for key, value in found.items() if (key, value) not in _UNUSED}

    def with_absolute_path(self, absolute: Callable[[str], str]) -> Self:
        """Return the options with the checkpoint's path as `absolute` makes it."""
        return self.model_copy(update={"checkpoint": absolute(self.checkpoint)})

    def file(self) -> str:
        """Return the checkpoint's path; raise NetworkError where the package that has it by its name is missing."""
        if self.checkpoint in PACKAGED.get(self.network, {}):
            return str(packaged_weights(self.network, self.checkpoint)[0])
        return self.checkpoint

    @model_validator(mode="before")
    @classmethod
    def _find_published(cls, given: Any) -> Any:
        """Put the file of an installed package and its sha256 in the place of the weights' name.

        From here on they are a checkpoint like any other, which a dataset keeps. Without the package the name stays, so
        that a job can be read; `file` tells what is missing.
        """
        if not isinstance(given, dict):
            return given
        network, name = str(given.get("network")), str(given.get("checkpoint"))
        if name not in PACKAGED.get(network, {}):
            return given
        try:
            file, known = packaged_weights(network, name)
        except NetworkError:
            return given
        return given | {"checkpoint": str(file), "sha256": given.get("sha256") or known.sha256}

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
    stride : only every so many-th frequency is evaluated in each direction; the rest takes the value of the nearest
    """

    scale: float = Field(10.0, ge=0, allow_inf_nan=False, description="times the mean amplitude: the enhanced noise")
    norm: float = Field(8.0, ge=0, allow_inf_nan=False, description="l2 norm of the original map's noise, a channel")
    subset: int | None = Field(None, ge=1, description="images looked at, stratified by class; null: all")
    stride: int = Field(1, ge=1, description="every so many-th frequency is evaluated; the rest is as the nearest")

    @model_serializer(mode="wrap")
    def _without_unit_stride(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave a stride of 1 out: jobs that are older than it read and count as they did."""
        found: dict[str, Any] = handler(self)
        return {key: value for key, value in found.items() if (key, value) != ("stride", 1)}

    def check_stride(self, height: int, width: int) -> None:
        """Raise ValueError if the grid of images of that size has zero frequency alone in a direction."""
        if self.stride > (most := max(1, min(height, width) // 2)):
            raise ValueError(f"stride: got {self.stride}; allowed: 1 to {most}, half of {height} x {width} pixels")
