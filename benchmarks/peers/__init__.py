"""What others make of the same work, and the floors beneath it."""
