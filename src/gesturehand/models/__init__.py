"""The networks, as plain ``nn.Module``: encoder, gesture head, 2.5D head, token fusion, MANO head."""
