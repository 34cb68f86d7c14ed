"""Attacks on a frozen classifier: DeepFool (l2), SparseFool (few pixels), and the queue that they and SADA share."""
