"""What stages and studies are told alike about DeepFool."""

from pydantic import Field

from passband.pipeline.options import StrictModel


class WalkOptions(StrictModel):
    """How DeepFool walks (METHODS 8.1).

    Attributes
    ----------
    classes : largest logits of an image that are looked at, its own among them
    steps : at most
    overshoot : success is judged, and a view ends, so much farther from the image, relative to the way to the boundary
    """

    classes: int = Field(10, ge=2, description="largest logits that are looked at, the image's own among them")
    steps: int = Field(50, ge=1, le=1000, description="of DeepFool, at most")
    overshoot: float = Field(0.02, ge=0, le=100, description="how far beyond the boundary, relative to the way there")
