"""The queueing model of a host with its virtual servers: observation, fit, prediction."""
