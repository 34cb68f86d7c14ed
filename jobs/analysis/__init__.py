"""Studies of a frozen network: which spatial frequencies change its answers."""
