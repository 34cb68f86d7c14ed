"""What a dataset is: its job, plan, blueprint and inputs, and how its views are made."""
