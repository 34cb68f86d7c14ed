"""Attack outputs, commands and what is read from outside: ``python -m benchmarks.attack`` or ``make attack``.

Every attempt changes, cuts, kills or starves something, and then lets the product itself look at it. It passes where
the product gives what it gave before, mends it, or refuses in one line. A wrong pixel, label or number, a success that
is none, a traceback and a hang fail the whole attack. The same seed makes the same attempts.
"""
