"""The stream processor: a Faust app with two agents, one for cases and one for therapists.

In: the events and cases topics. Out: flags, summaries and refused records, and then the commit.
Never: decide anything about a case (that is `pipeline.core`).

`app` puts the worker together, `case_agent` and `therapist_agent` say what is done with a batch of records, `faust`
says how Faust is used so that nothing is lost.
"""
