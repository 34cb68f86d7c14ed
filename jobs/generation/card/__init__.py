"""The card of a dataset: README.md and report.html, with pictures of what was made."""
