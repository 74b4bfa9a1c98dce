"""Dashboards drawn without Grafana, from their JSON and the results of their queries: a preview, not Grafana itself."""
