"""Quality checks of one run: cross-checks of redundant sources, operational laws, the load, clocks and logs."""
