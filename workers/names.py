"""The tasks' names: whoever sends one needs the name only."""

TRIAGE = "triage.deliver"
REQUEUE = "sweep.requeue"
RECONCILE = "sweep.reconcile"
RETENTION = "sweep.retention"
KNOWLEDGE = "sweep.knowledge"
CALIBRATE = "sweep.calibrate"
BACKTEST = "bulk.backtest"
