"""How the trained networks of the lessons are made: one file each, named as its weights, with a `RECIPE`."""
