"""The demonstration: the whole pipeline on one machine, with nothing to install but Python packages."""
