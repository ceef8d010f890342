"""Drivers that break trainings, files, disks and recipes at random, and show that nothing is lost.
Each runs for as long as one likes: `python -m tests.faults.kill --kills 200 --seed 0`."""
