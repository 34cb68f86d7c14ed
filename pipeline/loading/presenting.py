"""What becomes of the images of a view before they are handed out."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import torch

from passband.pipeline.errors import PassbandError

Transform = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Presentation:
    """Makes images of torchvision and calls transforms.

    Attributes
    ----------
    transforms : name of a view -> what is called with its images, or one for all views
        (N, C, H, W), all images of the batch -> a tensor whose first axis is N.
    tv_tensors : bool
        Whether images are `torchvision.tv_tensors.Image`.
    """

    transforms: Mapping[str, Transform] | Transform | None = None
    tv_tensors: bool = False

    def require(self, names: Iterable[str]) -> None:
        """Raise PassbandError unless the transforms are callable, and each is of one of the images called `names`."""
        if self.transforms is None or (callable(self.transforms) and not isinstance(self.transforms, Mapping)):
            return
        if not isinstance(self.transforms, Mapping):
            raise PassbandError(
                f"transforms is {type(self.transforms).__name__}; it must be a callable, or a dict of view names to "
                "callables"
            )
        known = list(names)
        for name, transform in self.transforms.items():
            if name not in known:
                raise PassbandError(f"transforms names {name!r}; the images are {', '.join(known)}")
            if not callable(transform):
                raise PassbandError(f"transforms: {name}: {type(transform).__name__} cannot be called")

    def wrapped(self, images: torch.Tensor) -> torch.Tensor:
        """Return images, or one, as torchvision's type if that was asked for."""
        if not self.tv_tensors:
            return images
        from torchvision import tv_tensors

        return tv_tensors.Image(images)

    def shown(self, name: str, images: torch.Tensor) -> torch.Tensor:
        """Return the images of view `name` as they are handed out.

        Raises
        ------
        PassbandError
            If the transform fails or does not return a tensor of as many images; it names the view.
        """
        images = self.wrapped(images)
        transform = self.transforms.get(name) if isinstance(self.transforms, Mapping) else self.transforms
        if transform is None:
            return images
        try:
            changed = transform(images)
        except Exception as error:  # the caller's own code may raise anything
            reason = " ".join(str(error).split()) or "no message"
            raise PassbandError(f"transforms: {name}: {type(error).__name__}: {reason}") from error
        if not isinstance(changed, torch.Tensor) or changed.ndim == 0 or len(changed) != len(images):
            found = f"{list(changed.shape)}" if isinstance(changed, torch.Tensor) else type(changed).__name__
            raise PassbandError(
                f"transforms: {name}: returned {found}; it must return a tensor of all {len(images)} images"
            )
        return changed
