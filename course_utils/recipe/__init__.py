"""How the clay family is made: ``python -m course_utils.recipe STAGE``."""
