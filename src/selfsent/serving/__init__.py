"""The service: a model and a store over HTTP for people and programs, and over MCP for agents."""
