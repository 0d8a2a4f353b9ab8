"""Procedural street scenes: layout (what stands where) → backdrop, objects, cars (paint) → render (look up)."""
