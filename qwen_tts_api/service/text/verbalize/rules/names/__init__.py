"""Names of which letters or digits are said in a way of their own: `B2B`, `H₂O`, `FBI`, `Nf3`."""
