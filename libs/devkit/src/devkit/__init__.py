"""How Taskgate is run, checked and tested on a developer's machine; never part of an image."""
