"""The servers' own logs have every request."""

import polars as pl


def test_server_logs_have_every_request(simulated):
    requests = simulated.outcome.frames["requests"]
    for guest in simulated.loaded().values():
        if guest.server.kind == "open":
            assert (requests["log"] == "access").sum() == len(guest.reply_s)
        else:
            commits = requests.filter(pl.col("target") == "COMMIT")
            assert commits.height == len(guest.reply_s)
            assert commits["connection"].n_unique() == guest.load.threads
