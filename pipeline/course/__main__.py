"""``python -m pipeline.course SOLVED STUDENT``: write the student's copy. Short, because it only reads two paths."""

from __future__ import annotations

import sys

from pipeline.course.student import write_student_copy

if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python -m pipeline.course SOLVED.ipynb STUDENT.ipynb")
    print(write_student_copy(*sys.argv[1:]))
