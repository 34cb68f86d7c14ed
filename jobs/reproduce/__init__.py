"""Papers' tables made again: graphs of jobs that are run, resumed, and put into one table."""
