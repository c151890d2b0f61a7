"""What self-contained pages are made with: the template, the style, figures in the page's own colours."""
