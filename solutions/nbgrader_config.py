"""Settings for nbgrader: copy this file into the folder of your nbgrader course.

The stubs are those of make_exercises.py, so that `nbgrader generate_assignment`
gives the same cells as `exercises/`.
"""

c = get_config()  # noqa: F821, nbgrader provides it

c.CourseDirectory.course_id = "tagging"
c.ClearSolutions.code_stub = {"python": "...  # your code here"}
c.ClearSolutions.text_stub = "*Write your answer here.*"
c.ExecutePreprocessor.timeout = 300
