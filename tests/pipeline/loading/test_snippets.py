"""What the documentation shows of streams in others' loops, run as it stands."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.filterwarnings(
    "ignore:This process .* is multi-threaded:DeprecationWarning",
    "ignore:'set_vital' is deprecated:UserWarning",
    "ignore:.*does not have many workers:",
    "ignore:Your `IterableDataset` has `__len__` defined:",
    "ignore:.*isinstance.treespec, LeafSpec.:",
    "ignore:.*tensorboardX.*:",
    "ignore:The number of training batches:",
)
PATH = "runs/mnist5k-prime"
LOADER = """
from torch.utils.data import DataLoader
from passband import open_stream

stream = open_stream("runs/mnist5k-prime", batch_size=128)
loader = DataLoader(stream.as_dataset(), batch_size=None, num_workers=2)
for batch in loader:  # every iter() is the next epoch
    step(batch.images["clean"].float() / 255, batch.labels)
"""
RESUMED = """
from torchdata.stateful_dataloader import StatefulDataLoader

loader = StatefulDataLoader(stream.as_dataset(), batch_size=None, num_workers=2)
state = loader.state_dict()  # JSON, exact to the batch
loader.load_state_dict(state)
"""
LIGHTNING = """
import lightning
from passband import open_stream

stream = open_stream("runs/mnist5k-prime", batch_size=128)
trainer = lightning.Trainer(max_epochs=2, accelerator="cpu")
trainer.fit(model, stream)  # or DataLoader(stream.as_dataset(), batch_size=None)
"""
DDP = """
import torch.distributed as dist, torch.nn.functional as F
from torch.nn.parallel import DistributedDataParallel
from passband import open_stream

dist.init_process_group("gloo")  # torchrun --nproc-per-node 2 train.py
model = DistributedDataParallel(make_model())
for batch in open_stream("runs/mnist5k-prime", batch_size=64):  # this rank's samples
    F.cross_entropy(model(batch.images["clean"].float() / 255), batch.labels).backward()
dist.destroy_process_group()
"""
TRANSFORMS = """
from torchvision.transforms import v2
from passband import open_stream

scale = v2.Compose([v2.ToDtype(torch.float32, scale=True), v2.Normalize([0.5] * 3, [0.25] * 3)])
stream = open_stream("runs/mnist5k-prime", batch_size=128, transforms=scale, tv_tensors=True)
stream.sample(0), stream.sample(key)  # by index, by key
"""
MODEL = """
import torch
def make_model():
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 16 * 16, 10))
"""


@pytest.fixture
def run(npy, tmp_path, monkeypatch):
    """Run snippets, one after the other, on the small dataset, and return their names."""
    monkeypatch.chdir(tmp_path)

    def run_snippets(*snippets, **names):
        for snippet in snippets:
            assert PATH in snippet or snippet is RESUMED
            exec(snippet.replace(PATH, str(npy.path)), names)
        return names

    return run_snippets


def test_the_snippet_of_a_loader_and_of_its_state(run):
    seen = []
    names = run(LOADER, RESUMED, step=lambda images, labels: seen.append((images.shape, len(labels))))
    assert seen == [((128, 3, 16, 16), 128)] * 2
    assert len(list(names["loader"])) == 2
    names["stream"].close()


def test_the_snippet_of_lightning(run):
    import lightning
    import torch

    class Model(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.layer, self.steps = torch.nn.Linear(3 * 16 * 16, 10), 0

        def training_step(self, batch, _):
            self.steps += 1
            images = batch.images["clean"].flatten(1) / 255
            return torch.nn.functional.cross_entropy(self.layer(images), batch.labels)

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), 0.01)

    model = Model()
    names = run(LIGHTNING, model=model)
    assert model.steps == 4
    names["stream"].close()


def test_the_snippet_of_transforms(run, npy):
    import torch

    names = run(TRANSFORMS, torch=torch, key=npy.samples[0].key)
    assert next(iter(names["stream"])).images["low"].dtype == torch.float32
    names["stream"].close()


@pytest.mark.slow
def test_the_snippet_of_several_processes(npy, tmp_path):
    """By what they print: torch's own threads abort a process once in a while, and torchrun then ends the other."""
    told = "print('rank', dist.get_rank(), sum(batch.indices.tolist()) > 0, flush=True)\n"
    script = DDP.replace(PATH, str(npy.path)).replace("dist.destroy", f"{told}dist.barrier()\ndist.destroy")
    (tmp_path / "train.py").write_text(MODEL + script)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    said = []
    for _ in range(3):
        found = subprocess.run([*command, str(tmp_path / "train.py")], capture_output=True, text=True)
        if {"rank 0 True", "rank 1 True"} <= set(found.stdout.splitlines()):
            return
        said.append(found.stderr)
    pytest.fail("\n".join(said))
