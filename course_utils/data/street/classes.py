"""The eight classes of the street scenes and their numbers in a mask."""

SKY, BUILDING, ROAD, PAVEMENT, TREE, CAR, PERSON, POLE = range(8)
CLASSES = ("sky", "building", "road", "pavement", "tree", "car", "person", "pole")
