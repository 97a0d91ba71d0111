"""Checkpoints on the disk: files, config.json, tokenizer, hub. PyTorch only in `nano`."""
