"""What the tools print of a simulated run, one module a tool: pure functions from counters to text."""
