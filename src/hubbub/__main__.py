"""`python -m hubbub`."""

from hubbub.interfaces.cli import main

if __name__ == "__main__":
    main()
