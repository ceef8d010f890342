"""What only the course needs: maths, errata, exercises, playground and their pictures."""
