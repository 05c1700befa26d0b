"""The command line as a person uses it, on a real engine of the test's own."""
