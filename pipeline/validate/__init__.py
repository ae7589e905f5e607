"""Is it true? Instruments against each other, laws against measurements, the model against the client.

``instruments`` one quantity by two instruments    ``gate`` what must hold before a model is believed
"""
