"""What a model is scored on, a suite a file."""
