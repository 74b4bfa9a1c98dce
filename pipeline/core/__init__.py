"""The decisions, as pure functions: no Faust, Kafka, SQL, clock, environment or logging.

In: accepted events and states. Out: new states and the changes to publish.
Never: act on the world.
"""
