"""What the families share: how people, cases, ruptures, forms and missing forms come about."""
