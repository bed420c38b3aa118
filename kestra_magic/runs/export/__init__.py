"""Out of the notebook: cells as the tasks of a flow."""
