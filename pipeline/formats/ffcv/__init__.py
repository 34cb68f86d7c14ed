"""One FFCV file, packed from the shards: `beton` draws the layout."""
