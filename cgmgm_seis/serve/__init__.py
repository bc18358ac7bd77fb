"""A local web service with the interfaces of IRIS Syngine and of FDSN's web services."""
