"""Therapist summaries and flags -> Prometheus series."""
