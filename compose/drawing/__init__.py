"""Pictures of projects: values in, text out (trees, Graphviz, Mermaid, SVG). Pure."""
