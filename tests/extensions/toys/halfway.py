"""A display event: half of the shards of a dataset, or half of the steps of a training, are done."""


class Halfway:
    """Comes about once a run."""

    def __init__(self, done, total, what):
        self._done, self._total, self._what = done, total, what
        self._told = False

    def reached(self, state):
        """Return how many are done, the first time that it is half of them."""
        done, total = self._done(state), self._total(state)
        if self._told or 2 * done < total:
            return None
        self._told = True
        return {"done": done, "total": total}

    def words(self, values):
        """Say so."""
        return f"half of the {self._what} are done: {values['done']} of {values['total']}"


def halfway_of_shards():
    """Of a dataset."""
    return Halfway(lambda ledger: len(ledger.done), lambda ledger: ledger.blueprint.shards, "shards")


def halfway_of_steps():
    """Of a training."""
    return Halfway(lambda training: training.step, lambda training: training.steps, "steps")
