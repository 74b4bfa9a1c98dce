"""The system and its real parts, started and watched by tests, benchmarks and the pictures of the dashboards.

In: keyword arguments, folders. Out: valid events, running processes and servers, what they hold and answer.
Never: imported by the product; a change to a process or a topic that something else made.
"""
