"""The tasks' names: whoever sends one needs the name only."""

TRIAGE = "triage.deliver"
REQUEUE = "sweep.requeue"
RECONCILE = "sweep.reconcile"
SLA = "sweep.sla"
FORESIGHT = "sweep.foresight"
RETENTION = "sweep.retention"
