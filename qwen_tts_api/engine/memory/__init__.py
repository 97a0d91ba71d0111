"""How much memory a model's slots may take: planned, measured and fitted."""
