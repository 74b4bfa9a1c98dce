"""What every process needs: settings, health, metrics, Kafka clients.

In: the environment. Out: settings, endpoints and clients.
Never: import Faust, or decide anything about an event.
"""
