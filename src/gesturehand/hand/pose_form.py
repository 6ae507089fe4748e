"""The forms in which sets write MANO's pose and place; none needs the hand model until the hand is posed."""

from enum import IntFlag


class PoseForm(IntFlag):
    """How to read 48 numbers of pose and 3 of place. Without a flag: InterHand2.6M's, axis-angle and MANO's ``trans``.

    The first three numbers turn the root in every form.

    Attributes:
        FLAT: The fingers' axis-angle is whole; without the flag it is relative to the mean pose.
        COMPONENTS: The fingers are 45 coefficients of the model's principal components, relative to the mean pose.
        ROOT_PLACE: The place is where the root joint (the wrist) lies, not MANO's ``trans``.
    """

    FLAT = 1
    COMPONENTS = 2
    ROOT_PLACE = 4
