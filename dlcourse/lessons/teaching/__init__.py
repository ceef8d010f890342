"""Run a class: homework for students, the teacher's edition, and grades without a server."""
