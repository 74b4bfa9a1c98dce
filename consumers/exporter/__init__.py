"""Shows therapists' figures and counts of flags to Prometheus."""
