from tests.flows.conftest import begin, run, session

__all__ = ["begin", "run", "session"]
