"""Reading the bodies of requests: strictly, bounded, whole."""
