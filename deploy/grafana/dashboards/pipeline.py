"""*Pipeline health*: what the people who run it open. Does it flow, how fast, and what is refused?

In: the technical metrics, and what Prometheus itself knows of its targets. Out: the dashboard.
Never: anything clinical.
"""

from grafana_foundation_sdk.models import dashboard

from deploy.grafana.dashboards.config import CONFIG, GREEN, GREY, PURPLE, RED
from deploy.grafana.dashboards.page import a_dashboard
from deploy.grafana.dashboards.panels import About, PanelBuilder, Query, heat, series, stat, state, table
from deploy.grafana.dashboards.queries import reference, state_above

SECONDS = CONFIG.seconds_unit
JOBS = 'job=~"worker|store|exporter|gateway|notifier"'
NEWEST = 'max by (team) (alliance_last_event_timestamp_seconds{team=~"$team"})'
BUCKETS = "sum by (stage, le) (rate(alliance_event_latency_seconds_bucket[$__rate_interval]))"
SLOWEST = f"max(histogram_quantile(0.99, {BUCKETS}) >= 0)"
REFUSED = "sum by (reason) (increase(alliance_rejected_total[$__range]))"


def pipeline() -> dashboard.Dashboard:
    """The dashboard."""
    return a_dashboard(
        CONFIG.pipeline,
        "For the people who run it: is it up, fresh, fast, and what does it refuse?",
        "now-6h",
        [*_now(), *_flow(), *_tables()],
    )


def _now() -> list[PanelBuilder]:
    newest_ago = f"time() - max({NEWEST})"
    return [
        stat(
            About(
                1,
                "Processes",
                "Whether Prometheus reaches every process of each kind.",
                "Any “down”: events wait in Kafka and nothing is lost, but no one sees them.",
                "Look at that process's log and its /health, then docs/operations/health.md.",
                (0, 0, 6, 8),
            ),
            [Query("{{job}}", f"min by (job) (up{{{JOBS}}})", words=("down", "up"), colours=(RED, GREEN))],
        ),
        stat(
            About(
                2,
                "Newest event",
                "How long ago the newest event of the teams chosen happened.",
                "Over two days on working days look closer, over four act; nights and weekends have few events.",
                "Ask whether check-ins were sent: gateway, `alliance send`, the practice's own software.",
                (6, 0, 6, 8),
            ),
            [
                Query("ago", newest_ago, SECONDS, 1),
                state(state_above(newest_ago, CONFIG.fresh_seconds, CONFIG.fresh_seconds_most)),
            ],
        ),
        stat(
            About(
                3,
                "Slowest stage",
                "The 99th percentile from an event's Kafka timestamp to the end of a stage, for the slowest stage.",
                f"Over {CONFIG.latency_seconds:g} s look closer, over {CONFIG.latency_seconds_most:g} s act.",
                "See which stage below; a replay makes it high on purpose.",
                (12, 0, 6, 8),
            ),
            [
                Query("p99", SLOWEST, SECONDS, 2),
                state(state_above(SLOWEST, CONFIG.latency_seconds, CONFIG.latency_seconds_most)),
            ],
        ),
        stat(
            About(
                4,
                "Refused records",
                "Records refused in the time range shown, each with its reason and its original bytes in "
                "alliance.rejected.v1.",
                "Any at all is worth a look; many at once mean that a sender has changed.",
                "`alliance rejected list`, fix the sender, `alliance rejected replay`.",
                (18, 0, 6, 8),
            ),
            [
                Query("refused", f"sum({REFUSED})"),
                state(state_above(f"sum({REFUSED})", 0, 100), ("none", "look: see the reasons", "many: act now")),
            ],
        ),
    ]


def _flow() -> list[PanelBuilder]:
    quantiles = [
        Query(
            f"{{{{stage}}}}, {name}",
            f"histogram_quantile({quantile}, {BUCKETS})",
            SECONDS,
            2,
        )
        for name, quantile in (("p50", 0.5), ("p99", 0.99))
    ]
    beside = 'sum(up{job="worker"})'
    return [
        series(
            About(
                5,
                "Events per second",
                "Accepted events, by the process that worked on them.",
                "One process falls behind the others, or all fall to zero in working hours.",
                "If one is behind: its /health says what it waits for. If all are at zero: look at the senders.",
                (0, 8, 12, 8),
            ),
            [
                Query(
                    "{{job}}",
                    f"sum by (job) (rate(alliance_events_total{{{JOBS}}}[$__rate_interval])) > 0",
                    "reqps",
                    2,
                )
            ],
        ),
        series(
            About(
                6,
                "Events per second, by type",
                "Accepted events at the worker, by type.",
                "Sessions arrive but check-ins do not.",
                "Look at the sender of the type that is missing.",
                (12, 8, 12, 8),
            ),
            [
                Query(
                    "{{type}}",
                    'sum by (type) (rate(alliance_events_total{job="worker"}[$__rate_interval])) > 0',
                    "reqps",
                    2,
                )
            ],
        ),
        series(
            About(
                7,
                "Latency by stage",
                "From an event's Kafka timestamp to the end of each stage: half of the events within p50, 99 of 100 "
                "within p99.",
                f"p99 stays above {CONFIG.latency_seconds:g} s outside of a replay.",
                "Check whether the machine is busy, the database is slow, or one worker has most partitions.",
                (0, 16, 12, 9),
            ),
            [
                *quantiles,
                Query(
                    "promised",
                    reference(CONFIG.latency_seconds, beside),
                    SECONDS,
                    2,
                    colour=GREY,
                    dashed=True,
                ),
            ],
        ),
        heat(
            About(
                8,
                "Latency to the store",
                "How many events reached the store within which time: the darker, the more.",
                "A second dark band higher up: some partitions or some events are slow.",
                "Compare with the worker's stages on the left.",
                (12, 16, 12, 9),
            ),
            Query(
                "{{le}}",
                'sum by (le) (increase(alliance_event_latency_seconds_bucket{stage="store"}[$__rate_interval]))',
                CONFIG.count_unit,
            ),
        ),
        series(
            About(
                9,
                "Time since the newest event, by team",
                "How long ago the newest event of each team happened. It grows at night and at weekends.",
                "One team grows while the others do not.",
                "Ask that team's sender.",
                (0, 25, 12, 8),
            ),
            [Query("{{team}}", f"time() - {NEWEST}", SECONDS, 1)],
        ),
        series(
            About(
                10,
                "Time to scrape",
                "How long Prometheus needs to read each process's /metrics.",
                "It nears the 10 s after which Prometheus gives up.",
                "Too many therapists for one exporter, or a busy machine: see docs/operations/health.md.",
                (12, 25, 12, 8),
            ),
            [Query("{{job}}", f"max by (job) (scrape_duration_seconds{{{JOBS}}})", SECONDS, 3, colour=PURPLE)],
        ),
        series(
            About(
                13,
                "Partitions without progress",
                "The longest time for which a worker's partition has made no progress although it has records to read. "
                "Partitions that were paused on purpose do not count.",
                "It rises for minutes: a worker hangs, and nothing else shows it.",
                "End that worker; another worker takes over its partitions (runbook AlliancePartitionStalled).",
                (0, 33, 24, 7),
            ),
            [Query("longest", 'max(alliance_partition_stalled_seconds{job="worker"})', SECONDS, 0)],
        ),
    ]


def _tables() -> list[PanelBuilder]:
    return [
        table(
            About(
                11,
                "Refused, by reason",
                "Records refused in the time range shown; docs/integrators.md explains each reason of the closed list.",
                "A reason that was not there yesterday.",
                "`alliance rejected list` shows them with the next step.",
                (0, 40, 12, 7),
            ),
            {"reason": "Reason"},
            [Query("Records", f"{REFUSED} > 0")],
            sort_by="Reason",
        ),
        table(
            About(
                12,
                "Versions",
                "Which version runs, by process.",
                "Two versions of one process for longer than a deployment takes.",
                "Finish or roll back the deployment.",
                (12, 40, 12, 7),
            ),
            {"job": "Process", "version": "Version"},
            [Query("Instances", f"count by (job, version) (alliance_build_info{{{JOBS}}})")],
            sort_by="Process",
        ),
    ]
