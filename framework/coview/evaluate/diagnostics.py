"""Placeholder until the real file lands in a moment."""
def diagnose(z_VND):
    z = z_VND.flatten(0, 1)
    z = z / z.norm(dim=1, keepdim=True)
    return {"spread": float(z.std(0).mean()) * z.shape[1] ** 0.5}
