"""Networks on points whose discriminative directions are known, and the margins of those networks."""
