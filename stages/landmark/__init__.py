"""Face frames -> 68 landmarks per frame, precise enough for motion below a pixel."""
