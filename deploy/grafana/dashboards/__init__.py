"""The dashboards as code: one file each, and what they share. `make dashboards` writes their JSON into `json/`."""
