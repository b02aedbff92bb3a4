"""The site contact queue: how staff see a lead, and what they may do with it."""
