"""From a recipe and a source to a model folder that can be trusted."""
