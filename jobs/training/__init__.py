"""The trainer: it reads stored datasets and imports neither what makes them nor what spreads work (held by a test)."""
