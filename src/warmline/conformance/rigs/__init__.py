"""One rig per desk: how its vendor is started, set up, and played by hand."""
