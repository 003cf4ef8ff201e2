"""Real parts that tests stand on: PostgreSQL, NATS, Chromium."""
