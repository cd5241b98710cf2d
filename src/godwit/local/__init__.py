"""A whole network on one machine, with the real servers: for trying, and for tests."""
