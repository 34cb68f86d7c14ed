"""From labelled images to verified shards: source, augment, shard, manifest, load."""
