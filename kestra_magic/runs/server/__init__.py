"""Executions on a Kestra server, behind the same handle as one that runs here."""
