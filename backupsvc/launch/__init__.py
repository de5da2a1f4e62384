"""Set up and start everything on one machine: what `make run` does once Python's packages are there.

`assets` fetches the style sheet and script, `messages` compiles translations, `supervisor` keeps web
server, worker and beat running, and `python -m backupsvc.launch` does it all in order.
"""
