"""Generated cells: `layout` draws where they lie and how the microscope is set, `render` makes the picture."""
