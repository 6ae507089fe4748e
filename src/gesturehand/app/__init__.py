"""A page for the browser: photos, a camera and short videos in; overlays, meshes and numbers out."""
