"""Trees as text, brackets, SVG and side by side."""
