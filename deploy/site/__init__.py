"""The documentation as a static site, built from the same Markdown that a forge shows."""
