"""What an instructor does with the exercises: give them out, and check that a student's file is whole."""
