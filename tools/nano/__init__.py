"""How the embedded checkpoint that speaks is made; see README.md."""
