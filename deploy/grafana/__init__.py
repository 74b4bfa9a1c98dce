"""What people look at: Grafana's provisioning, and its dashboards as code."""
