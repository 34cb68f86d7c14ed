"""What AugMix calls its operations, and in how many steps their magnitudes come."""

OPERATIONS = (
    "shear_x",
    "shear_y",
    "translate_x",
    "translate_y",
    "rotate",
    "posterize",
    "solarize",
    "autocontrast",
    "equalize",
)
"""In torchvision's order; none is among the common corruptions."""
SIGNED = OPERATIONS[:5]
"""Those that go either way."""
BINS = 10
"""Steps from no magnitude to the largest; severity s draws from the first s."""
