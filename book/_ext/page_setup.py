"""Corrections to what Jupyter Book and its extensions set up.

They switch on what this book does not want:

- sphinx-thebe's loader names a content delivery network. No page uses it, as notebooks are run in Binder, in Colab or
  locally, so it is left out: the book reads without a network.
- sphinx-proof turns on numbers for figures. "Fig. 3" beside a paper's own "Figure 1(a)" would only confuse.

And one thing it does want: pages that name the repository take its URL from `_config.yml`, as `{{ colab }}`.
"""

COLAB = """\
```ipython3
!git clone --depth 1 {url}
%cd {name}
```
"""


def drop_thebe(app, pagename, templatename, context, doctree):
    """Remove the thebe loader from a page's scripts."""
    context["script_files"] = [script for script in context["script_files"] if "thebe" not in _text(script)]


def _text(script):
    return f"{getattr(script, 'filename', script)} {getattr(script, 'attributes', {})}".lower()


def unnumber_figures(app, config):
    """Figures and tables have no number of their own."""
    config.numfig = False


def add_substitutions(app, config):
    """Offer the lines that fetch the repository in Colab as `{{ colab }}`."""
    url = config.html_theme_options["repository_url"]
    lines = COLAB.format(url=url, name=url.rstrip("/").rpartition("/")[2])
    config.myst_substitutions = {**config.myst_substitutions, "colab": lines}


def setup(app):
    app.connect("html-page-context", drop_thebe, priority=900)
    app.connect("config-inited", unnumber_figures, priority=900)
    app.connect("config-inited", add_substitutions)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
