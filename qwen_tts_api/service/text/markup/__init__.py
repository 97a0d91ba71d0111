"""Markup to the text that a reader would see: HTML, SSML, Markdown; wrapped lines joined."""
