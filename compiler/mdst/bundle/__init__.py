"""From compiled programs and repacked weights to the folder that a web server serves.

`manifest` is the contract with the runtime, `shards` cuts the weights into files named by their
content, `writer` puts every file into place at once, `listing` is the list by which all of them can
be checked again.
"""
