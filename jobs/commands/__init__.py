"""The commands of ``passband``, a module for each kind of work."""
