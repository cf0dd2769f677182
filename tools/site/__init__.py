"""The documentation site: assembles the pages of docs/, builds them with Zensical, and checks every link."""
