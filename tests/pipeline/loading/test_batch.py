"""Batches in others' hands: devices, pinned memory, Lightning."""

import lightning
import pytest
import torch
from torch.utils.data import DataLoader
from torch.utils.data._utils.pin_memory import pin_memory

from passband.pipeline.loading import Batch, open_stream

pytestmark = pytest.mark.filterwarnings(
    "ignore:This process .* is multi-threaded:DeprecationWarning",
    "ignore:.*does not have many workers:",
    "ignore:Your `IterableDataset` has `__len__` defined:",
    "ignore:.*isinstance.treespec, LeafSpec.:",
    "ignore:.*GPU available but not used:",
    "ignore:.*tensorboardX.*:",
    "ignore::lightning.fabric.utilities.rank_zero.LightningDeprecationWarning",
)


class Model(lightning.LightningModule):
    """Notes what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(3 * 16 * 16, 10)
        self.seen: list[list[list[int]]] = []

    def training_step(self, batch, number):
        if number == 0:
            self.seen.append([])
        self.seen[-1].append(batch.indices.tolist())
        loss = torch.nn.functional.cross_entropy(self.layer(batch.images["low"].flatten(1) / 255), batch.labels)
        self.log("loss", loss, on_step=False, on_epoch=True)
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.01)


@pytest.fixture
def trainer(tmp_path):
    return lightning.Trainer(
        max_epochs=3,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=tmp_path,
    )


@pytest.fixture(scope="module")
def epochs(npy):
    with open_stream(npy.path, batch_size=50) as stream:
        return [[batch.indices.tolist() for batch in stream] for _ in range(3)]


def test_lightning_fits_on_a_stream(npy, trainer, epochs):
    model = Model()
    with open_stream(npy.path, batch_size=50) as stream:
        trainer.fit(model, stream)
    assert model.seen == epochs


@pytest.mark.parametrize("options", [{}, {"num_workers": 2}, {"num_workers": 2, "persistent_workers": True}])
def test_lightning_fits_on_a_dataset_in_a_loader(npy, trainer, epochs, options):
    model = Model()
    with open_stream(npy.path, batch_size=50) as stream:
        trainer.fit(model, DataLoader(stream.as_dataset(), batch_size=None, **options))
    assert model.seen == epochs


def test_lightning_goes_on_from_its_checkpoint_within_an_epoch(npy, trainer, epochs, tmp_path):
    """The stream's position is part of it."""

    class Stopping(lightning.Callback):
        def on_train_batch_end(self, trainer, *_):
            if trainer.global_step == 10:
                trainer.save_checkpoint(tmp_path / "at10.ckpt", weights_only=False)

    trainer.callbacks.append(Stopping())
    with open_stream(npy.path, batch_size=50) as stream:
        trainer.fit(Model(), stream)
    state = torch.load(tmp_path / "at10.ckpt", weights_only=True)["loops"]["fit_loop"]["state_dict"]
    (saved,) = state["combined_loader"]
    with open_stream(npy.path, batch_size=50) as stream:
        stream.load_state_dict(saved)
        assert [batch.indices.tolist() for batch in stream] == epochs[1][3:]


def test_lightning_moves_a_batch(npy):
    from lightning.fabric.utilities.apply_func import move_data_to_device

    with open_stream(npy.path, batch_size=50) as stream:
        batch = next(iter(stream))
    moved = move_data_to_device(batch, torch.device("meta"))
    assert isinstance(moved, Batch)
    assert {tensor.device.type for tensor in (*moved.images.values(), moved.labels, moved.positions)} == {"meta"}
    assert repr(moved).startswith("Batch(images={'clean': uint8[50, 3, 16, 16] on meta")


def test_a_batch_moves_and_can_be_changed(npy):
    with open_stream(npy.path, batch_size=50, views_as_samples=True) as stream:
        batch = next(iter(stream))
    moved = batch.to("meta", non_blocking=True)
    assert (moved.views.device.type, batch.views.device.type) == ("meta", "cpu")
    assert moved["images"]["image"].is_contiguous(memory_format=torch.channels_last)
    batch.labels = batch.labels + 1
    assert repr(batch) == (
        "Batch(images={'image': uint8[50, 3, 16, 16]}, labels=int64[50], groups=int64[50], indices=int64[50], "
        "positions=int64[50], views=int64[50])"
    )


def test_a_loader_that_pins_asks_the_batch(npy, monkeypatch):
    pinned = []
    monkeypatch.setattr(torch.Tensor, "is_pinned", lambda tensor, *_: False)
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor, *_: pinned.append(tensor.shape) or tensor.clone())
    with open_stream(npy.path, batch_size=50, tv_tensors=True, pin_memory=False) as stream:
        batch = next(iter(stream))
        found = pin_memory(batch)
    assert isinstance(found, Batch)
    assert len(pinned) == 3 + 4
    assert type(found.images["low"]) is type(batch.images["low"])
