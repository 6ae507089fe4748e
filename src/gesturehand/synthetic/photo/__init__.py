"""The photo-like open set: one or two hands in front of photographs, seen by phones, webcams and long lenses."""
