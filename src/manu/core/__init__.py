"""What every part of the package stands on: errors, atomic files, locks, extensions by name."""
