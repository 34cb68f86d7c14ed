"""Executors run any picklable task with ``task.run(attempt) -> record``: `inline` here, `ray` on many workers."""
