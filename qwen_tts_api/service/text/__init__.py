"""From any text to segments that a model can speak, and from their audio to one recording."""
