"""Training: from a recipe and a source to a saved model with its record."""
