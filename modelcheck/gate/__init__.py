"""One run of the gate: its settings, the evidence in a child process and a cache, the session, and the verdict."""
