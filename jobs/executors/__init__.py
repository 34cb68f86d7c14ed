"""Executors run any picklable task with ``task.run(attempt) -> record``; `choice.EXECUTORS` lists them."""
