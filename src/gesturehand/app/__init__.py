"""A page in the browser that predicts the hands in photos, a camera's pictures and short videos."""
