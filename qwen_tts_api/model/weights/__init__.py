"""The weights of a checkpoint: read from its files, and placed on a device."""
