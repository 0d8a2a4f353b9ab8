"""Procedural streets: `layout` draws a scene, `backdrop`, `objects` and `cars` paint it, `render` colours it."""
