"""`python -m tagkit` is the command `tagkit`."""

from tagkit.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
