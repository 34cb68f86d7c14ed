"""What every objective promises, tested over OBJECTIVES: a new one needs only its lines in SAMPLES.

`ObjectiveContract` tests objectives of others as well (`tests/extensions`).
"""

import copy
import io
from typing import Any, ClassVar

import pytest
import torch
import yaml
from pydantic import ValidationError

from passband.jobs.training.batches import TrainBatch
from passband.jobs.training.objectives import OBJECTIVES
from passband.jobs.training.spec import parse_train_job
from passband.jobs.training.update import NonFiniteError
from tests.jobs.training.objectives.made import make_batch, make_model, make_objective, part

# name -> options as a job file has them; each is tried
SAMPLES: dict[str, list[dict[str, Any]]] = {
    "erm": [{}, {"on": "all"}],
    "jsd": [{}, {"weight": 0.25}, {"attack": {"copies": 2, "steps": 3}}],
    "group_dro": [{}, {"on": "all", "eta": 0.5}, {"weights": "hard"}],
    "irm": [{}, {"anneal_steps": 1, "weight": 2.0}, {"on": "all"}],
    "vrex": [{}, {"anneal_steps": 1}, {"on": "all"}],
    "jtt": [{}, {"on": "all"}],
    "eiil": [{}, {"then": "irm", "irm": {"on": "all"}}],
    "sam": [{}, {"on": "all"}],
    "sharpdro": [
        {},
        {"on": "all", "weights": "hard"},
        {"perturbation": "linf"},
        {"distribution": "agnostic"},
        {"distribution": "agnostic", "on": "all", "perturbation": "linf"},
        {"step": "worst_only"},
        {"distribution": "agnostic", "step": "worst_only"},
        {"distribution": "agnostic", "negative": "keep"},
    ],
    "mixup": [{}, {"on": "all", "per": "sample"}, {"alpha": 0.2}],
    "manifold_mixup": [{}, {"on": "all", "at": "codes", "per": "sample"}, {"at": "input"}],
    "coral": [{}, {"on": "all", "weight": 0.3}],
    "fgmix": [
        {},
        {"start_step": 0, "on": "all"},
        *({"start_step": 0, "variant": variant} for variant in "ABCDEF"),
        {"start_step": 2, "scale": 5.0, "mixtures": 40},
    ],
    "adversarial": [{}, {"on": "all", "steps": 3}, {"norm": "l2", "random_start": False}],
}
# what `prepare` would leave, for batches whose indices are below 40
PREPARED: dict[str, dict[str, torch.Tensor]] = {
    "jtt": {"weights": torch.linspace(0.2, 1.8, 40)},
    "eiil": {"groups": torch.arange(40) % 3 % 2},
}


def prepared(name, options, **changes):
    objective = make_objective(name, options, **changes)
    if name in PREPARED:
        objective.load_state_dict(objective.state_dict() | PREPARED[name])
    return objective


def momentum(model):
    return torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)


def assert_same_state(one, other):
    assert one.keys() == other.keys()
    for key, value in one.items():
        if isinstance(value, dict):
            assert_same_state(value, other[key])
        elif isinstance(value, torch.Tensor):
            assert value.dtype == other[key].dtype
            assert torch.equal(value, other[key])
        else:
            assert value == other[key]


def assert_same_weights(one, other):
    assert_same_state(one.state_dict(), other.state_dict())


class ObjectiveContract:
    """What every objective promises: a test class inherits it and names objectives.

    Attributes
    ----------
    samples : name -> options as a job file has them; each is tried
    """

    samples: ClassVar[dict[str, list[dict[str, Any]]]]

    def pytest_generate_tests(self, metafunc):
        asked = [key for key in ("name", "options", "all_views") if key in metafunc.fixturenames]
        cases = [
            {"name": name, "options": options, "all_views": options}
            for name, samples in self.samples.items()
            for options in (samples if len(asked) > 1 else [{}])
            if "all_views" not in asked or options.get("on") == "all"
        ]
        metafunc.parametrize(asked, [tuple(case[key] for key in asked) for case in cases], ids=str)

    def test_names_and_options(self, name):
        objective_class = OBJECTIVES[name]
        assert objective_class.name == name
        resolved = objective_class.Options.model_validate({})
        assert objective_class.Options.model_validate(resolved.model_dump()) == resolved
        assert "kind" not in objective_class.Options.model_fields  # a job file says there which objective it is
        with pytest.raises(ValidationError, match="unknown key 'strength'; allowed:"):
            objective_class.Options.model_validate({"strength": 1})

    def test_a_job_file_holds_the_options(self, name, options):
        given = {
            "kind": "train",
            "name": "small",
            "data": {"path": "/data/set"},
            "network": {"kind": "lenet"},
            "objective": {"kind": name, **options},
            "epochs": 1,
            "output": {"uri": "/data/run"},
        }
        job = parse_train_job(given)
        assert job.objective_class is OBJECTIVES[name]
        assert job.objective_options() == OBJECTIVES[name].Options.model_validate(options)
        assert parse_train_job(yaml.safe_load(yaml.safe_dump(job.model_dump()))) == job

    def test_metrics_are_numbers_on_the_device(self, name, options):
        model = make_model()
        metrics = prepared(name, options).step(model, momentum(model), make_batch())
        assert {"loss", "gradient_norm"} <= set(metrics)
        for key, value in metrics.items():
            assert isinstance(value, torch.Tensor), key
            assert value.shape == (), key
            assert not value.requires_grad, key
            assert torch.isfinite(value), key

    def test_steps_lower_the_loss(self, name, options):
        model, batch = make_model(3), make_batch(12, groups=[0, 1, 2] * 4)
        objective, optimizer = prepared(name, options), torch.optim.Adam(model.parameters(), lr=0.01)
        start = torch.nn.functional.cross_entropy(model(batch.first), batch.labels).item()
        for _ in range(100):
            objective.step(model, optimizer, batch)
        assert torch.nn.functional.cross_entropy(model(batch.first), batch.labels).item() < start / 2

    def test_a_state_goes_on_as_if_nothing_had_happened(self, name, options):
        model, batches = make_model(norm=True), [make_batch(seed=seed) for seed in range(5)]
        objective, optimizer = prepared(name, options), momentum(model)
        for batch in batches[:3]:
            objective.step(model, optimizer, batch)
        file = io.BytesIO()
        torch.save({"objective": objective.state_dict(), "optimizer": optimizer.state_dict()}, file)
        other, again = copy.deepcopy(model), make_objective(name, options)
        for batch in batches[3:]:
            objective.step(model, optimizer, batch)
        stored = torch.load(io.BytesIO(file.getvalue()), weights_only=True)
        again.load_state_dict(stored["objective"])
        resumed = momentum(other)
        resumed.load_state_dict(stored["optimizer"])
        for batch in batches[3:]:
            again.step(other, resumed, batch)
        assert_same_weights(model, other)
        assert_same_state(objective.state_dict(), again.state_dict())

    def test_a_loaded_state_is_a_copy(self, name, options):
        one, other = prepared(name, options), make_objective(name, options)
        state = copy.deepcopy(one.state_dict())
        other.load_state_dict(one.state_dict())
        model = make_model()
        other.step(model, momentum(model), make_batch())
        assert_same_state(one.state_dict(), state)

    def test_states_of_another_kind_are_refused(self, name, options):
        objective = prepared(name, options)
        state = objective.state_dict()
        with pytest.raises(ValueError, match="this objective keeps"):
            objective.load_state_dict(state | {"momentum": 1})
        for key, value in state.items():
            with pytest.raises(ValueError, match="this objective keeps"):
                objective.load_state_dict({k: v for k, v in state.items() if k != key})
            with pytest.raises(ValueError, match="this objective keeps"):
                objective.load_state_dict(state | {key: "text"})
            if isinstance(value, torch.Tensor):
                for wrong in (value.half(), value[:-1], value[None]):
                    with pytest.raises(ValueError, match="this objective keeps"):
                        objective.load_state_dict(state | {key: wrong})
        assert_same_state(objective.state_dict(), state)

    def test_a_non_finite_image_stops_before_any_change(self, name, options):
        model = make_model()
        objective, optimizer, good = prepared(name, options), momentum(model), make_batch()
        objective.step(model, optimizer, good)
        weights, state, moments = (copy.deepcopy(thing.state_dict()) for thing in (model, objective, optimizer))
        bad = make_batch(seed=1, first_index=7)
        bad.first[4, 0, 1, 1] = torch.nan
        with pytest.raises(NonFiniteError, match="the loss is nan") as caught:
            objective.step(model, optimizer, bad)
        assert caught.value.indices == list(range(7, 18))
        assert_same_state(model.state_dict(), weights)
        assert_same_state(objective.state_dict(), state)
        assert_same_state(optimizer.state_dict()["state"][0], moments["state"][0])

    def test_a_gradient_that_overflows_stops_before_any_change(self, name, options):
        class Steep(torch.autograd.Function):
            @staticmethod
            def forward(ctx, images):
                return images.clone()

            @staticmethod
            def backward(ctx, gradient):
                return gradient * torch.inf

        class SteepModel(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.body = make_model()

            def forward(self, images):
                return self.body[-1](Steep.apply(self.body[:-1](images)))

        model = SteepModel()
        objective = prepared(name, options)
        weights, state = (copy.deepcopy(thing.state_dict()) for thing in (model, objective))
        with pytest.raises(NonFiniteError):
            objective.step(model, momentum(model), make_batch())
        assert_same_state(model.state_dict(), weights)
        assert_same_state(objective.state_dict(), state)

    def test_modes_are_left_alone(self, name, options):
        for training in (True, False):
            model = make_model(norm=True).train(training)
            statistics = model[1].running_mean.clone()
            prepared(name, options).step(model, momentum(model), make_batch())
            assert [module.training for module in model.modules()] == [training] * 6
            assert torch.equal(statistics, model[1].running_mean) is not training

    def test_one_sample_is_a_batch(self, name, options):
        model = make_model()
        metrics = prepared(name, options).step(model, momentum(model), make_batch(1))
        assert torch.isfinite(metrics["loss"])

    def test_the_batch_is_not_changed(self, name, options):
        model, batch = make_model(), make_batch()
        kept = copy.deepcopy(batch)
        prepared(name, options).step(model, momentum(model), batch)
        for one, other in zip(batch.images.values(), kept.images.values(), strict=True):
            assert torch.equal(one, other)
        for column in ("labels", "groups", "indices"):
            assert torch.equal(getattr(batch, column), getattr(kept, column))

    def test_order_within_a_batch_does_not_matter(self, name, options):
        batch = make_batch(10)
        turned = part(batch, torch.arange(9, -1, -1))
        models = []
        for given in (batch, turned):
            models.append(model := make_model())
            prepared(name, options).step(model, momentum(model), given)
        for one, other in zip(models[0].parameters(), models[1].parameters(), strict=True):
            torch.testing.assert_close(one, other)

    def test_all_views_are_images_of_their_own(self, name, all_views):
        batch = make_batch(6)
        flat = TrainBatch(
            {"clean": torch.cat(list(batch.images.values()))},
            batch.labels.repeat(3),
            batch.groups.repeat(3),
            batch.indices.repeat(3),
        )
        models = [make_model(), make_model()]
        prepared(name, all_views).step(models[0], momentum(models[0]), batch)
        prepared(name, all_views | {"on": "clean"}).step(models[1], momentum(models[1]), flat)
        assert_same_weights(*models)


class TestObjectives(ObjectiveContract):
    samples = SAMPLES


def test_every_objective_has_sample_options():
    missing = set(OBJECTIVES) - set(SAMPLES)
    assert not missing, f"add sample options for {sorted(missing)} to SAMPLES"
    assert all(SAMPLES.values())
