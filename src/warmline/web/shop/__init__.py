"""The demo's shop: a page of somebody else's, on which the widget stands by its public snippet."""
