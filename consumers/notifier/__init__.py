"""Keeps an alert at Alertmanager for each open flag, until a supervisor acknowledges the flag."""
