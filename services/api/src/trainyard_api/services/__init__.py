"""Use cases of the API: what each call does, apart from HTTP."""
