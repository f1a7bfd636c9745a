#![doc = "End to end."]
