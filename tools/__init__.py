"""Commands for those who run, test or write the course; students need only `make lab`."""
