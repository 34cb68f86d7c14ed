"""Encoded images before they are decoded: what they are, what is damaged, and what the decoder must not see."""
