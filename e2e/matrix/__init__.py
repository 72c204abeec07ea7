"""The matrix: every engine, launch and scenario, each span and each metric checked against the load that was sent."""
