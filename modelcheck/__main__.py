"""The command line: ``modelcheck`` and ``python -m modelcheck``."""

from modelcheck.cli.main import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
