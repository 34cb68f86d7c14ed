"""Jobs on a cluster: a head to try it on, what is submitted, and how far it is."""
