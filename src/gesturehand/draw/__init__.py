"""Pictures: meshes and skeletons over crops, panels, confusion matrices."""
