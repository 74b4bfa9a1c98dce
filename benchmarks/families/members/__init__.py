"""One module for each family, and the item laws that several of them use."""
