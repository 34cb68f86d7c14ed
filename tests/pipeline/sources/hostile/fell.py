FELL: frozenset[str] = frozenset()
