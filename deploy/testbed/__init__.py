"""The system and its real parts for programs: tests, benchmarks and the dashboards' pictures start and watch them here.

In: keyword arguments, folders. Out: valid events, running processes and servers, what they hold and answer.
Never: part of the product; a process or a topic that another user of the same machine made.
"""
