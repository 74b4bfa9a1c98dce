"""The stream processor: a Faust app with two agents, one for cases and one for therapists.

In: the events and cases topics. Out: flags, summaries and refused records, then the commit.
Never: decide anything about a case (that is `pipeline.core`).
"""
