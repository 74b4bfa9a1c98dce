"""The long memory: accepted events and their scores, flags with their history, therapists, refusals, in SQL."""
