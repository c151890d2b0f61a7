"""``python -m coview``, which is also what ``torchrun -m coview`` starts."""

from coview.cli.main import main

if __name__ == "__main__":
    main()
