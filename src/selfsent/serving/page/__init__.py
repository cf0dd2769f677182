"""The page of the service: HTML, a style and ES modules, sent to the browser as they are."""
