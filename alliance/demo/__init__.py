"""The demonstration: the whole pipeline on one machine, with nothing to install beside Python packages."""
