"""Every server under mixed load for as long as is asked: nothing lost, nothing kept."""
