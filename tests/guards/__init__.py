"""Each guard that people's data rest on, and the tests that miss it when it is taken away."""
