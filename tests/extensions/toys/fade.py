"""A stage: each image is darkened by a share that is drawn."""

import numpy as np
from pydantic import Field

from passband.pipeline.augment import Stage, StageOptions, StageResult


class FadeOptions(StageOptions):
    """How dark an image may become."""

    most: float = Field(0.5, ge=0, le=1, description="largest share of its brightness that an image loses")


class Fade(Stage):
    """Darken each image by a share between 0 and ``most``."""

    name = "fade"
    Options = FadeOptions

    def apply(self, images, labels, draws):
        """Darken; the share is recorded."""
        share = (self.options.most * draws.uniforms(1)[:, 0]).astype(np.float32)
        kept = self.kernels.asarray(1 - share)
        return StageResult(images * kept[:, None, None, None], {"share": share})
