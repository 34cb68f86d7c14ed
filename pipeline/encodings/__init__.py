"""How one view becomes bytes, and pixels again."""
