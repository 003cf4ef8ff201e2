"""The queue, assignment and capacity of our own desk."""
