from tests.flows.conftest import begin, beside, run, session

__all__ = ["begin", "beside", "run", "session"]
