"""The frozen model that SADA attacks and maps: its options, and the model itself, which alone imports torch."""
