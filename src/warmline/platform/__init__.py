"""What every module stands on: settings, database, bus, outgoing HTTP, secrets, logs."""
