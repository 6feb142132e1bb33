"""Commands on the data folder: inside ``waymark run``, or beside it when it is stopped."""
