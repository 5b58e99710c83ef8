"""Leave out what would load scripts from elsewhere: the book reads without a network.

Jupyter Book always loads sphinx-thebe, whose loader names a content delivery network; no page uses it, as notebooks
are run in Binder, in Colab or locally.
"""


def drop_thebe(app, pagename, templatename, context, doctree):
    """Remove the thebe loader from a page's scripts."""
    context["script_files"] = [script for script in context["script_files"] if "thebe" not in _text(script)]


def _text(script):
    return f"{getattr(script, 'filename', script)} {getattr(script, 'attributes', {})}".lower()


def setup(app):
    app.connect("html-page-context", drop_thebe, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
