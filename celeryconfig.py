"""Celery's settings, each with its reason. The inbox in the database is the truth; the queue is only a wake-up."""

from typing import Any

from kombu import Exchange, Queue

from triage.environment import read_environment

# The one place that is read at import: Celery imports its settings when it starts.
_environment = read_environment()

# Redis unless BROKER_URL names another one, like amqp:// for RabbitMQ: nothing else changes.
broker_url = _environment.broker
# At start the broker may be a second late; later losses are retried for ever, with the inbox filling up meanwhile.
broker_connection_retry_on_startup = True
# None is "for ever": a worker that gives up would have to be noticed and started again.
broker_connection_max_retries = None
# A Redis without room refuses a worker's notes of what it took: by default that ends the worker.
broker_channel_error_retry = True

# JSON carries ids and strings only; pickle would let whoever reaches the broker run code here.
task_serializer = "json"
# The same, for what comes in.
accept_content = ["json"]
# Outcomes are rows in our own tables; a result backend would be a second, weaker copy.
task_ignore_result = True
# So that none is ever taken from a variable that happens to be set.
result_backend = None

# Acknowledged after the work: a killed worker's message comes back. It may also come twice, which the run's lease makes
# harmless.
task_acks_late = True
# Without this a task whose process died is acknowledged as failed and never runs again.
task_reject_on_worker_lost = True
# One message a thread: a slow ticket holds up no other one that another worker could take.
worker_prefetch_multiplier = 1
# Waiting for a model and a helpdesk is all a ticket does: threads cost 1 MB each, processes 25 MB, and gevent loses
# acknowledgements with late acks on Redis.
worker_pool = "threads"
# 20 tickets in flight are about 13 a second with a model that answers in one; more threads or processes when outgrown.
worker_concurrency = 20
# On SIGTERM tickets in flight may finish; what has not by then goes back to the queue.
worker_soft_shutdown_timeout = 30.0
# Give an idle worker the same chance to close its connections.
worker_enable_soft_shutdown_on_idle = True
# The worker's own loggers stay as we set them: ids only, never bodies.
worker_hijack_root_logger = False
# Nothing here listens to worker events, and each would be a message.
worker_send_task_events = False
# A countdown task sits in a worker's memory until it is due. We keep due times in the database, so few are ever needed.
worker_eta_task_limit = 1000

# triage: one ticket each, people wait for it. sweep: the beat's small tasks, which must not queue behind tickets.
# bulk: back-filling and learning, which may take the night.
# Each has an exchange of its own: queues that share the default one would each get a copy of every message.
task_queues = [Queue(name, Exchange(name), routing_key=name) for name in ("triage", "sweep", "bulk")]
# What is not named below is a ticket.
task_default_queue = "triage"
# By the beginning of the task's name, so that a new task finds its queue by being well named.
task_routes = {"sweep.*": {"queue": "sweep"}, "bulk.*": {"queue": "bulk"}}

if broker_url.startswith("redis"):
    # What a killed worker and a hung Redis may cost, in seconds.
    broker_transport_options: dict[str, Any] = {
        # Longer than any ticket may take (its deadline is 150 s); a killed worker's ticket is picked up by the sweep
        # long before.
        "visibility_timeout": 300,
        # By default unacknowledged messages are looked at every 10th time of 10 s.
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
        # A hung Redis must not hold a thread for ever.
        "socket_timeout": 5,
        "socket_connect_timeout": 2,
        "socket_keepalive": True,
        "health_check_interval": 25,
    }
else:
    # RabbitMQ tells a publisher only when asked that it has the message.
    broker_transport_options = {"confirm_publish": True}
    # A connection that died silently is noticed within 20 s.
    broker_heartbeat = 20

# A tick that nobody took is worth nothing once there are later ones, but two hours of them are done with in seconds.
# Not less: beat's clock dates them and a worker's drops them, and beat's may be an hour slow.
_stale = {"expires": 7200}
# Two beats by mistake do no harm: every task here claims its rows by conditional UPDATE.
beat_schedule = {
    "requeue": {"task": "sweep.requeue", "schedule": 5.0, "options": _stale},
    # Only looks at the clock; each desk has its own interval.
    "reconcile": {"task": "sweep.reconcile", "schedule": 20.0, "options": _stale},
    # Only looks at the clock; each desk is looked at every ten minutes.
    "health": {"task": "sweep.health", "schedule": 60.0, "options": _stale},
    # Goes on with rounds that are under way; each desk begins one at its own interval.
    "knowledge": {"task": "sweep.knowledge", "schedule": 60.0, "options": _stale},
    # Only looks at the clock; `sla.tick_seconds` says how often clocks are looked at.
    "sla": {"task": "sweep.sla", "schedule": 5.0, "options": _stale},
    # Attainment for the views; what the teams' pace is, once an hour.
    "foresight": {"task": "sweep.foresight", "schedule": 300.0, "options": _stale},
    # Only looks at the clock too: once a day for each desk, also where beat is restarted more often than that.
    "calibrate": {"task": "sweep.calibrate", "schedule": 3600.0, "options": _stale},
    "retention": {"task": "sweep.retention", "schedule": 3600.0, "options": _stale},
}
# Celery's own stands still when the clock is set back.
beat_scheduler = "workers.ticks:SteadyScheduler"
# Beat's own notes, next to the database.
beat_schedule_filename = "data/beat-schedule"
# A schedule must not jump when a country changes its clocks.
timezone = "UTC"
