"""Accepted events and their scores, flags with their history, therapists and refused records, kept in SQL."""
