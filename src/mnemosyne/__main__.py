"""`python -m mnemosyne`."""

from mnemosyne.cli import main

if __name__ == "__main__":
    main()
