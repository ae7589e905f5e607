"""The ten lessons: one module each with its ``LESSON``. Short, because each lesson is opened by its number."""
