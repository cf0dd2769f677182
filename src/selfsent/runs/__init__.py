"""From a request to a finished run: recipe, settings, variants, training, tables of runs."""
