"""Open flags -> alerts at Alertmanager, until somebody acknowledges them."""
