"""An execution of many tasks: from a flow's text to its outputs."""
