"""From seconds to what they mean: images a second, share of a copy, energy and money."""

MILLION = 1_000_000
FLOAT32, UINT8 = 4, 1


def least_bytes(values: int, item_bytes: int) -> int:
    """Return the least that making an image can move: its `values` are read once and as many are written once."""
    return 2 * values * item_bytes


def share_of_copy(num_bytes: float, seconds: float, copy_bytes_per_s: float) -> float:
    """Return which part of the measured copy bandwidth moving `num_bytes` in `seconds` is."""
    return num_bytes / seconds / copy_bytes_per_s


def cost_per_million(images_per_s: float, price_per_hour: float) -> float:
    """Return what a million images cost on a device that costs `price_per_hour`, in the same currency."""
    return price_per_hour * MILLION / images_per_s / 3600


def break_even_epochs(generation_s: float, steps_per_epoch: int, step_s: float, stored_step_s: float) -> float | None:
    """Return after how many epochs making the shards is paid back by shorter steps; None: never."""
    gained = steps_per_epoch * (step_s - stored_step_s)
    return generation_s / gained if gained > 0 else None
