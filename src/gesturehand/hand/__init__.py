"""The hand model: MANO's file format, the open hand in that format, linear blend skinning, the layer on the device."""
