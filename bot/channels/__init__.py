"""The messengers, one file each. A channel knows its own wire format and nothing of trials."""
