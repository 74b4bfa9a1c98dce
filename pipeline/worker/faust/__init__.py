"""How the worker uses Faust: which file answers which question.

Each file holds one class, named as the file, or a few functions that change the app they are given.

* When is an offset committed? `group_commit` (when its outputs are durable), `committable_offsets` (up to where),
  `manual_ack` (never by Faust itself).
* How are outputs made durable, and what if the broker is away? `durable_producer`.
* What is fetched, and how is it handed to an agent? `record_sets` (from aiokafka), `consumer` (to Faust),
  `partition_batch` (what an agent sees).
* Where is the state of a case or a therapist, and how does it come back after a crash? `state_cache`, `state_table`.
* When is a partition paused and how does it resume? `paused_partitions`, `resume_endpoint`; the limit on refused
  records is `pipeline.core.rejection_limit`. Refused records themselves (dead letters) are written by
  `pipeline.worker.dead_letter`.
* How is a hanging worker noticed? `stall_detector`.
* Why did the process end by itself? `exits`: a bug (code 70), or fenced: its partitions went to another worker (75).
* Which of Faust's settings differ from its defaults, and why? `app_settings`.

In: Faust, aiokafka, and what the two agents give them to do. Out: an app that loses nothing.
Never: know what a record means.
"""
