"""Why a task failed, in a person's words and at the lines of the cell."""
