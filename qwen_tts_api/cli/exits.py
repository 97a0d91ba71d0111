"""Exit codes; wrong use is click's own 2."""

EXIT_FAILED = 1
EXIT_INTERRUPTED = 130
"""What a shell reports for Ctrl-C."""
