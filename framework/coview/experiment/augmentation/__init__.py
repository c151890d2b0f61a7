"""What a recipe's augmentations do to its data: to be looked at, and to be measured."""
