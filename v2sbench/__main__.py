"""`python -m v2sbench`."""

from v2sbench.cli import entry

if __name__ == "__main__":
    entry()
