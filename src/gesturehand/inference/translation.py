"""The former place of :mod:`gesturehand.translation`."""

from gesturehand.translation import ASSUMED_FOCAL_OVER_LONGER_SIDE as ASSUMED_FOCAL_OVER_LONGER_SIDE
from gesturehand.translation import FloatArray as FloatArray
from gesturehand.translation import assumed_intrinsics as assumed_intrinsics
from gesturehand.translation import scaled_translation as scaled_translation
from gesturehand.translation import solve_translation as solve_translation
