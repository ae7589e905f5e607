"""Queueing networks: closed workloads solved as closed."""
