"""The state that the attempts of a chunk hand on. A program writes a folder below its state folder, and never changes it again; then it
renames a file `current` to that place, which holds the folder's name."""
