"""WebDataset shards, the primary format: `tar` draws the layout."""
