"""Accuracy on stored datasets: of every condition, with intervals, tables and plots."""
