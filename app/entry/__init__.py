"""The script that Streamlit runs, in a folder of its own.

Streamlit takes a folder `pages` beside its script for pages of an older kind, so the script
must not lie beside ours.
"""
