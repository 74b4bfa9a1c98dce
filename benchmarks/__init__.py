"""How fast: one module per question, `python -m benchmarks.<module>`; each prints what it ran on."""
