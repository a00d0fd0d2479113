"""`python -m duckraft.shell` is `duckraft`."""

from .cli import main

if __name__ == "__main__":
    main()
