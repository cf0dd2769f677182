"""``python -m selfsent``: the command line."""

from selfsent.cli import main

if __name__ == "__main__":
    main()
