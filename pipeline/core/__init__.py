"""The decisions, pure: no Faust, Kafka, SQL, clock, environment or logging.

In: accepted events and states. Out: new states and facts.
Never: act on the world.
"""
