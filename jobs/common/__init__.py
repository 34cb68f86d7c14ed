"""What every kind of job shares."""
