"""A local web service: a page, and the interfaces of IRIS Syngine and of FDSN's web services."""
