"""What is recognized in a text and said in other words, by what it looks like."""
