"""The front door by paper: citation, equation to file, defaults, departures."""
