"""Wing one: which rows should be labelled next?"""
