"""A whole class on one server: JupyterHub, ready to start.

sudo .venv/bin/python -m diffusion_helpers.classroom --admin NAME

`jupyterhub_config.py` says what the hub does and why; `kubernetes/` holds the same for a cluster.
"""
