"""The makers of the tables that take minutes: ``python -m course_utils.recipe.tables [NAME ...]``."""
