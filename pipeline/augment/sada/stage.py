"""Stage `sada`: amplitude spectra pushed where the surrogate is sensitive, until it errs (Zhang et al. 2023)."""

import importlib.metadata
import io
import zlib
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from passband.kernels import backend
from passband.pipeline.augment.attacked import l2_distances
from passband.pipeline.augment.base import ComputedMap, InputFile, InputFolder, Shape, Stage, StageResult
from passband.pipeline.augment.draws import Draws
from passband.pipeline.augment.sada.options import SadaOptions
from passband.pipeline.surrogate.shared import load_shared

if TYPE_CHECKING:
    from passband.pipeline.augment.sada.attack import Attack, Signs
    from passband.pipeline.surrogate.model import Surrogate

Images = NDArray[np.float32]
Integers = NDArray[np.int64]

# Purposes in the address of a draw; the signs of step t are drawn from step t.
NOISE, SIGNS = 1, 2


class Sada(Stage):
    """Change amplitudes, never phases, so that a frozen model errs: SADA's adversarial view, drawn for every sample.

    What is recorded for each sample: ``steps`` (updates taken), and of the result, rounded to 8 bits as it is stored
    where no stage follows, against the image that the stage was given, ``changed`` (whether the prediction is another),
    ``loss_before``, ``loss_after`` and ``distance`` (l2, of images in [0, 1]).

    Examples
    --------
    After the example of `Stage`, with an untrained network for a model: it errs on the first image as it is, so no step
    is taken there; the second takes all five, and its loss rises.

    >>> from passband.pipeline.networks.network import NetworkSpec, build_network, network_bytes
    >>> spec = NetworkSpec(kind="lenet", shape=[1, 16, 16], classes=["0", "1"], mean=[0.5], std=[0.25])
    >>> inputs = {"surrogate": network_bytes(build_network(spec, seed=0))}
    >>> options = SadaOptions(surrogate=SurrogateOptions(network="lenet", checkpoint="model.pt"), map="none")
    >>> stage = Sada(options, shape=shape, kernels=kernels, inputs=inputs, classes=spec.classes)
    >>> recorded = stage.apply(images, labels, draws).recorded
    >>> recorded["steps"].tolist(), bool(recorded["loss_after"][1] > recorded["loss_before"][1])
    ([0, 5], True)
    """

    name = "sada"
    version = 1
    Options = SadaOptions
    options: SadaOptions
    environment_bound: ClassVar[bool] = True
    in_base: ClassVar[bool] = False  # its map is one of the clean images
    whole_shards: ClassVar[bool] = True

    @classmethod
    def inputs(cls, options: Any) -> dict[str, InputFile | InputFolder | ComputedMap]:
        """Return the surrogate's checkpoint, and the map as a file or as what is to be computed."""
        found: dict[str, InputFile | InputFolder | ComputedMap] = {
            "surrogate": InputFile(options.surrogate.file(), weights=True, sha256=options.surrogate.sha256)
        }
        if options.map_file is not None:
            found["map"] = InputFile(options.map_file)
        elif options.computes_map:
            found["map"] = ComputedMap(options.map, options.surrogate, options.sensitivity)
        return found

    @classmethod
    def check_inputs(cls, options: Any, shape: Shape, classes: Sequence[str], contents: Mapping[str, bytes]) -> None:
        """Raise PassbandError or ValueError if surrogate or map do not fit the data."""
        load_shared(contents["surrogate"], options.surrogate, classes, shape, backend("cpu"))
        if options.map_file is not None:
            read_map(contents["map"], options.map, options.map_name, shape)

    @classmethod
    def libraries(cls) -> dict[str, str]:
        """Return the versions of torch and torchvision."""
        return {name: importlib.metadata.version(name) for name in ("torch", "torchvision")}

    def __init__(
        self,
        options: SadaOptions,
        *,
        shape: Shape,
        kernels: ModuleType,
        inputs: Mapping[str, bytes],
        classes: Sequence[str],
    ) -> None:
        super().__init__(options, shape=shape, kernels=kernels, inputs=inputs, classes=classes)
        self._victim = load_shared(inputs["surrogate"], options.surrogate, classes, shape, kernels)
        self.weight = kernels.asarray(self._read_weight(inputs["map"] if "map" in self.inputs(options) else None))

    def _read_weight(self, content: bytes | None) -> Images:
        """Return M, the weight of every bin of the half spectrum."""
        _, height, width = self.shape
        columns = width // 2 + 1
        if content is None:
            return np.ones((height, columns), np.float32)
        name = self.options.map if self.options.map_file is None else self.options.map_name
        centered = read_map(content, self.options.map, name, self.shape)
        weight = np.fft.ifftshift(centered)[:, :columns] + (self.options.weight == "one_plus_map")
        return np.ascontiguousarray(weight, np.float32)

    def apply(self, images: Images, labels: Integers, draws: Draws) -> StageResult:
        """Attack a batch; images of [0, 1] come back in [0, 1]."""
        own = self.options.surrogate.labels == "own"
        before = self._victim.judge_clean(images, None if own else labels, self.kernels)
        labels = before.predictions if own else labels
        avoided = labels if self.options.stop == "label" else before.predictions
        attacked, steps = self.attack(images, labels, avoided, draws)
        stored = self.kernels.to_float(self.kernels.to_uint8(attacked))
        after = self._victim.judge(stored, labels, self.kernels)
        recorded = {
            "steps": steps,
            "changed": after.predictions != before.predictions,
            "loss_before": before.losses,
            "loss_after": after.losses,
            "distance": self.kernels.to_host(l2_distances(stored, images)),
        }
        return StageResult(attacked, recorded)

    @property
    def surrogate(self) -> "Surrogate":
        """The model that is attacked."""
        return self._victim.surrogate

    @staticmethod
    def noise_draws(draws: Draws) -> Draws:
        """Return where a sample's start is drawn: a word for each bin of the full grid, channel by channel."""
        return draws.at(purpose=NOISE)

    def attack(
        self, images: Images, labels: Integers, avoided: Integers, draws: Draws
    ) -> tuple[Images, NDArray[np.uint16]]:
        """Return the attacked images, in [0, 1], and the updates that each took (Algorithm 1).

        Parameters
        ----------
        images : (N, C, H, W) float32
        labels, avoided : (N,) int64
            The loss is that of the label; a sample is done when its prediction is not `avoided`.
        """
        words = self._words(self.noise_draws(draws), images.shape)
        noise = self.kernels.symmetric_noise(words, self.options.init)
        spectra = self.kernels.scale_spectrum(self.kernels.half_spectrum(images), np.float32(1) + noise)
        del words, noise
        return self._climb(draws).run(spectra, labels, avoided)

    def _climb(self, draws: Draws) -> "Attack":
        from passband.pipeline.augment.sada.attack import Attack  # torch

        options = self.options
        return Attack(
            surrogate=self.surrogate,
            kernels=self.kernels,
            weight=self.weight,
            steps=0 if options.random_only else options.steps,
            step_size=options.step_size,
            signs=None if options.targeted else self._signs(draws),
        )

    def _signs(self, draws: Draws) -> "Signs":
        channels, height, width = self.shape

        def signs(rows: NDArray[np.intp], step: int) -> Images:
            chosen = draws.select(rows).at(step=step + 1, purpose=SIGNS)
            words = self._words(chosen, (len(rows), channels, height, width // 2 + 1))
            found: Images = self.kernels.symmetric_signs(words, width)
            return found

        return signs

    def _words(self, draws: Draws, shape: tuple[int, ...]) -> NDArray[np.uint32]:
        words: NDArray[np.uint32] = self.kernels.words(
            draws.key, draws.indices, draws.view, draws.stage, int(np.prod(shape[1:]))
        )
        return words.reshape(shape)


def read_map(content: bytes, where: str, name: str | None, shape: Shape) -> NDArray[np.float64]:
    """Return a sensitivity map of a .npz file's content, zero frequency in the centre: (H, W) float64 of 0..1.

    Raises
    ------
    ValueError
        If it is no such file, has no such array, or the map is of another size, leaves [0, 1] or is not symmetric.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as found:
            arrays = {key: found[key] for key in found.files}
    except (OSError, ValueError, EOFError, AttributeError, TypeError, KeyError, BadZipFile, zlib.error) as error:
        raise ValueError(f"map {where}: is not a .npz file of arrays: {error}") from error
    chosen = name or ("enhanced" if len(arrays) != 1 else next(iter(arrays)))
    if chosen not in arrays:
        raise ValueError(f"map {where}: has no array {chosen!r}; it has {', '.join(sorted(arrays)) or 'none'}")
    if arrays[chosen].dtype.kind not in "fiub":
        raise ValueError(f"map {where}: {chosen} holds {arrays[chosen].dtype}, not real numbers")
    values = arrays[chosen].astype(np.float64)
    if values.shape != tuple(shape[1:]):
        raise ValueError(f"map {where}: {chosen} is of {values.shape}, images are {shape[1]} x {shape[2]}")
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError(f"map {where}: {chosen} leaves [0, 1]; a map holds error rates")
    around = np.fft.ifftshift(values)
    rows, columns = (-np.arange(side) % side for side in values.shape)
    if not np.allclose(around, around[rows][:, columns]):
        raise ValueError(f"map {where}: {chosen} differs between a frequency and its mirror image, which is the same")
    return values
