"""`duckraft tour`: what duckraft does, shown on the flights that left New York in 2013."""
