"""The photo-like open set: one or two hands before photographs, seen by phones, webcams and long lenses."""
