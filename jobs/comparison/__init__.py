"""One page for runs of any kind: datasets, trainings, evaluations, analyses and reproductions side by side."""
